"""A user's folder becomes training, validation and test sets, or an error that says what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.ilp.formats.mps_writer import write_mps
from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.own_family import own_family
from runs.errors import ConfigError, InvalidProblem


class NoCollector:
    def records(self, problem: Any, index: int, record: Any = None) -> Iterator[Any]:
        return iter(())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(7):
        problem = CombinatorialAuction(items=6, bids=12)(np.random.default_rng(index), f"auction-{index}")
        write_mps(problem, tmp_path / f"auction-{index}.mps")
    return tmp_path


def settings(cache: Path) -> dict[str, Any]:
    return {"collector": NoCollector(), "cache": str(cache), "settings": "{}"}


@pytest.mark.parametrize(("share", "kept"), [(0.1, 1), (0.2, 2), (0.5, 4)])
def test_the_last_files_are_kept_for_the_search(folder: Path, share: float, kept: int) -> None:
    data = own_family(str(folder), share, **settings(folder / "cache"))
    data.train.setup()
    data.setup("test")
    learned = [problem.name for _, problem in data.train.test_problems]  # type: ignore[union-attr]
    searched = [problem.name for _, problem in data.test_problems]  # type: ignore[union-attr]
    assert learned + searched == [f"auction-{index}" for index in range(7)]
    assert len(searched) == kept


def test_what_cannot_be_divided_is_refused(folder: Path) -> None:
    for share in (0, 1, -0.2):
        with pytest.raises(ConfigError, match=rf"data\.test_share is {share}"):
            own_family(str(folder), share, **settings(folder / "cache"))
    with pytest.raises(ConfigError, match=r"holds 7 instances, of which data\.test_share 0\.8 leaves 1 to learn from"):
        own_family(str(folder), 0.8, **settings(folder / "cache"))


def test_a_single_file_and_an_empty_folder_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is the file .*auction-0\.mps; a policy is learned from a folder"):
        own_family(str(folder / "auction-0.mps"), 0.2, **settings(folder / "cache"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidProblem, match="holds no instance"):
        own_family(str(tmp_path / "empty"), 0.2, **settings(folder / "cache"))
