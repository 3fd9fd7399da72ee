"""Curves of judged checkpoints, read from the runs of a sweep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.checkpoints.judged import JudgedSweep
from runs.errors import ConfigError
from tests.runs.conftest import SweepWriter


def write_sweep(folder: Path, first: float) -> None:
    writer = SweepWriter(folder)
    for seed in (0, 1):
        for recipe in ("simclr", "vicreg"):
            run = writer.run(recipe, seed, paper="ssl", experiment="figure_rank")
            curve = {"epoch": [0, 1], "linear": [np.nan, first + seed], "rank_me_h": [np.nan, 3.0]}
            pd.DataFrame(curve).to_parquet(run / "iterations.parquet")
    writer.run("byol", 0, paper="ssl", experiment="figure_rank")  # judged once, at its end: no curve
    (folder / "sweep.json").write_text("{}")


def read(sweep: Path | None) -> list:
    data = JudgedSweep("checkpoints", None if sweep is None else str(sweep))
    data.setup()
    return [problem for _, problem in data.test_problems or ()]  # type: ignore[attr-defined]


def test_a_problem_per_seed_has_the_curves_of_all_recipes(tmp_path: Path) -> None:
    write_sweep(tmp_path, 30.0)
    first, second = read(tmp_path)
    assert (first.name, first.seed, second.seed) == ("seed 0", 0, 1)
    assert set(first.curves) == {"simclr", "vicreg"}
    np.testing.assert_array_equal(second.curves["vicreg"]["linear"], [np.nan, 31.0])


def test_a_missing_sweep_and_one_without_curves_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.sweep is null; run experiment=ssl/figure_rank_small"):
        read(None)
    SweepWriter(tmp_path).run("byol")
    with pytest.raises(ConfigError, match=r"data.sweep: no finished run in .* judged its checkpoints; run"):
        read(tmp_path)
