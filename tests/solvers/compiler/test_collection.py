from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from data.compiler.drawn import drawn_programs
from data.compiler.embedded import LlvmliteCompiler
from data.compiler.program import Program
from runs.errors import ConfigError, InvalidProblem
from runs.store.cache import ArtifactCache
from solvers.compiler.collection import CandidateSearch, candidates, outcomes
from solvers.compiler.coreset import lazy_greedy, reward
from solvers.gradient_free.local_search import LocalSearch
from solvers.gradient_free.random_search import RandomSearch
from tests.solvers.compiler.counting_down import CountingDown, programs

PROGRAMS = programs(b"3 1 2", b"0 4 1", b"1 1 1")


def search(**settings: object) -> CandidateSearch:
    return CandidateSearch(RandomSearch(4), "random", **({"passes": 200, "longest": 4} | settings))  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path) -> ArtifactCache:
    return ArtifactCache(tmp_path)


@pytest.mark.parametrize("method", [LocalSearch(4), RandomSearch(4)])
def test_the_best_sequence_is_found_and_has_no_pass_too_many(method: LocalSearch | RandomSearch) -> None:
    best = CandidateSearch(method, "any", passes=600, longest=5).best(PROGRAMS[0], CountingDown())
    assert best == (0, 1, 2)


def test_a_search_starts_at_the_best_of_its_starts_and_keeps_to_its_passes() -> None:
    compiler = CountingDown()
    starts = (("clear0",), ("clear0", "clear1", "clear2"), ("inline",))
    found = search(passes=4, starts=starts).best(PROGRAMS[0], compiler)
    assert found == (0, 1, 2)
    pruning = 3 + 3 + 3 * 2  # itself to be cut, itself again, and without each of its passes
    assert compiler.applied == 4 + pruning


def test_what_was_collected_is_not_made_again(cache: ArtifactCache) -> None:
    compiler = CountingDown()
    first = candidates(PROGRAMS, compiler, search(), cache)
    spent = compiler.applied
    assert candidates(PROGRAMS, compiler, search(), cache) == first and compiler.applied == spent
    assert candidates(PROGRAMS[::-1], compiler, search(), cache) == first and compiler.applied == spent
    candidates(PROGRAMS, compiler, search(seed=1), cache)
    assert compiler.applied > spent


def test_counts_of_another_compiler_are_not_taken(cache: ArtifactCache) -> None:
    outcomes(PROGRAMS, [(0,)], CountingDown(), cache)
    another = CountingDown(numbers=2)
    outcomes(PROGRAMS, [(0,)], another, cache)
    assert another.applied == len(PROGRAMS)


def test_outcomes_hold_trajectories_with_their_failures(cache: ArtifactCache) -> None:
    compiler = CountingDown()
    sequences = [(0, 1), (3, 4), ()]
    for _ in range(2):  # made, then read
        found = outcomes(PROGRAMS, sequences, compiler, cache)
        assert found.programs == tuple(program.name for program in PROGRAMS)
        assert found.trajectories[1] == tuple(compiler.trajectories(PROGRAMS[1].bitcode, sequences))
        assert (found.initial.tolist(), found.reference.tolist()) == ([6, 5, 3], [2, 1, 1])
        assert found.least.tolist() == [[2, 6, 6], [1, 5, 5], [1, 3, 3]]


def test_a_program_that_fails_is_named_and_the_rest_goes_on(
    cache: ArtifactCache, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Program("numbers/none", "numbers", b"")
    with caplog.at_level(logging.WARNING):
        found = candidates([*PROGRAMS, broken], CountingDown(), search(), cache)
    assert found.keys() == {program.name for program in PROGRAMS}
    assert caplog.messages == ["1 of 4 programs are left out: numbers/none: InvalidProblem: numbers/none is empty"]
    with pytest.raises(InvalidProblem, match="none of 1 programs came through; numbers/none: "):
        candidates([broken], CountingDown(), search(), cache)


def test_settings_of_a_search_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"search.passes is 3; give at least 4"):
        search(passes=3)


def test_one_worker_and_two_find_the_same_on_real_programs(tmp_path: Path) -> None:
    drawn = drawn_programs(3, functions=1, statements=2)
    found = []
    for workers in (0, 2):
        with LlvmliteCompiler("single") as compiler:
            cache = ArtifactCache(tmp_path / str(workers))
            settings = CandidateSearch(LocalSearch(4), "local", passes=60, longest=6, starts=(("sroa",),))
            best = candidates(drawn, compiler, settings, cache, workers=workers)
            sequences = sorted(set(best.values()) | {(0,)})
            told = outcomes(drawn, sequences, compiler, cache, workers=0)
            found.append((best, told.least.tolist()))
    assert found[0] == found[1]
    rewards = reward(told.least, told.initial, told.reference)
    chosen = lazy_greedy(rewards, [len(s) for s in sequences], 2, reward(told.initial, told.initial, told.reference))
    assert chosen.coverage[-1] > chosen.coverage[0] and np.isfinite(chosen.coverage).all()


def test_a_coreset_in_another_order_is_not_applied_again(cache: ArtifactCache) -> None:
    compiler = CountingDown()
    sequences = [(0, 1), (0,), (3,)]
    first = outcomes(PROGRAMS, sequences, compiler, cache)
    spent = compiler.applied
    again = outcomes(PROGRAMS, sequences[::-1], compiler, cache)
    assert compiler.applied == spent
    assert again.trajectories == tuple(row[::-1] for row in first.trajectories)
