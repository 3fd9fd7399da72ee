from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from data.compiler.base import Compiler
from data.compiler.program import Program, Programs
from runs.errors import ConfigError, InvalidProblem
from runs.store.cache import ArtifactCache
from solvers.compiler.collection import CandidateSearch, least_counts, outcomes
from solvers.compiler.coreset_collection import CoresetCollection, CoresetFile
from solvers.compiler.coreset_file import write_coreset
from solvers.gradient_free.local_search import LocalSearch
from tests.solvers.compiler.counting_down import CountingDown, programs

SEARCH = CandidateSearch(LocalSearch(4), "local", passes=400, longest=4)


class Given:
    """Programs as they are given."""

    def __init__(self, given: Sequence[Program]) -> None:
        self.given = tuple(given)

    def read(self, compiler: Compiler) -> Programs:
        return Programs(self.given, {})


def test_what_is_chosen_covers_what_candidates_reach(tmp_path: Path) -> None:
    """Passes help in order alone, so the program with three numbers has a candidate that suits all."""
    found = CoresetCollection(Given(programs(b"3 1 2", b"0 4 1", b"5 1")), SEARCH, str(tmp_path), size=3).collect(
        CountingDown()
    )
    assert found.coverage[-1] == pytest.approx(found.own.mean())
    assert (np.diff(found.coverage) > 0).all() and len(found.sequences) == len(found.coverage) - 1
    assert found.programs == ("numbers/0", "numbers/1", "numbers/2") and found.tried >= len(found.sequences)


def test_programs_of_which_the_level_leaves_nothing_do_not_count(tmp_path: Path) -> None:
    found = CoresetCollection(Given(programs(b"3 1 2", b"4 0")), SEARCH, str(tmp_path)).collect(CountingDown())
    assert found.programs == ("numbers/0",)


def test_of_many_candidates_those_are_tried_that_a_sample_chooses(tmp_path: Path) -> None:
    given = Given(programs(*(f"{a} {b} {c}".encode() for a in range(3) for b in range(3) for c in (1, 2))))
    whole = CoresetCollection(given, SEARCH, str(tmp_path), size=1).collect(CountingDown())
    few = CoresetCollection(given, SEARCH, str(tmp_path), size=1, most_candidates=2, sample=6).collect(CountingDown())
    assert whole.tried > few.tried == 2 and few.coverage[-1] <= whole.coverage[-1]


def test_programs_that_no_pass_makes_smaller_have_no_coreset(tmp_path: Path) -> None:
    with pytest.raises(InvalidProblem, match="no pass makes any of 1 programs smaller"):
        CoresetCollection(Given(programs(b"0 0")), SEARCH, str(tmp_path)).collect(CountingDown())


@pytest.mark.parametrize("name", ["most_candidates", "sample", "size"])
def test_numbers_that_are_too_small_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"coreset.{name} is 0"):
        CoresetCollection(Given(programs(b"1")), SEARCH, str(tmp_path), **{name: 0})  # type: ignore[arg-type]


def test_least_counts_are_those_of_the_outcomes(tmp_path: Path) -> None:
    given, sequences, cache = programs(b"3 1 2", b"0 4 1"), [(0,), (0, 1, 2), (3, 4)], ArtifactCache(tmp_path)
    names, counts = least_counts(given, sequences, CountingDown(), cache)
    whole = outcomes(given, sequences, CountingDown(), cache)
    assert names == whole.programs and counts.dtype == np.int32
    assert counts[:, 0].tolist() == whole.initial.tolist() and counts[:, 1].tolist() == whole.reference.tolist()
    assert counts[:, 2:].tolist() == whole.least.tolist()


def test_a_coreset_is_read_from_a_file(tmp_path: Path) -> None:
    write_coreset(tmp_path / "coreset.json", [(0, 1), (2,)], CountingDown())
    assert CoresetFile(str(tmp_path / "coreset.json")).find(CountingDown()) == ((0, 1), (2,))


class Fixed:
    """A coreset as it is given."""

    def find(self, compiler: Compiler) -> tuple[tuple[int, ...], ...]:
        return ((3,), (0,), (0, 1, 2))


def test_of_a_given_coreset_the_order_is_found_anew_and_nothing_is_lost(tmp_path: Path) -> None:
    given, compiler = programs(b"3 1 2", b"5 1"), CountingDown()
    found = CoresetCollection(Given(given), Fixed(), str(tmp_path)).collect(compiler)
    assert found.sequences == ((0, 1, 2), (0,), (3,)) and found.tried == 3
    assert len(found.coverage) == 2  # the first is all that raises it
    spent = compiler.applied
    outcomes(given, found.sequences, compiler, ArtifactCache(tmp_path))  # what a predictor learns from
    assert compiler.applied == spent
