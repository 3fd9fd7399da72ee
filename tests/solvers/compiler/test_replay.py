from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.compiler.embedded import LlvmliteCompiler
from data.compiler.program import Program
from runs.errors import ConfigError
from solvers.base import Budget, Status
from solvers.compiler.replay import Replay, binds, curve, ranked
from tests.data.compiler.modules import SUM
from tests.solvers.compiler.counting_down import CountingDown, programs

PROGRAM = programs(b"3 1 2")[0]
SEQUENCES = [(3, 0), (0, 2, 1), (4, 0), (0, 1, 2)]
COUNTS = [6, 6, 6, 3, 3, 2, 2, 2, 2, 0]  # after 0, 1, ... passes in that order; the third sequence fails at once


def test_every_sequence_starts_anew_and_each_pass_is_paid() -> None:
    found = Replay(CountingDown(), SEQUENCES).solve(PROGRAM, budget=Budget(evaluations=20))
    assert (found.objective, found.feasible, found.status) == (0.0, True, Status.FEASIBLE)
    assert found.assignment is not None and found.assignment.tolist() == [0, 1, 2]
    assert found.trace.value_at(np.arange(10), by="evaluations").tolist() == COUNTS
    assert found.trace.evaluations[-1] == 9


@pytest.mark.parametrize("budget", range(10))
def test_the_last_sequence_is_cut_where_the_budget_ends(budget: int) -> None:
    compiler = CountingDown()
    found = Replay(compiler, SEQUENCES).solve(PROGRAM, budget=Budget(evaluations=budget))
    assert found.objective == COUNTS[budget]
    assert found.trace.evaluations[-1] == budget
    assert PROGRAM.objective(compiler, tuple(found.assignment)) == found.objective  # type: ignore[arg-type]


@given(st.permutations(range(4)), st.integers(0, 12))
def test_the_curve_of_known_trajectories_is_that_of_the_replay(order: list[int], budget: int) -> None:
    compiler = CountingDown()
    known = compiler.trajectories(PROGRAM.bitcode, SEQUENCES)
    found = Replay(compiler, [SEQUENCES[s] for s in order]).solve(PROGRAM, budget=Budget(evaluations=budget))
    replayed = found.trace.value_at(np.arange(budget + 1), by="evaluations")
    assert curve(known, order, budget).tolist() == replayed.tolist()


def test_scores_say_which_sequence_comes_first() -> None:
    replay = Replay(CountingDown(), SEQUENCES)
    found = replay.solve(PROGRAM, budget=Budget(evaluations=3), scorer=lambda program: np.array([0.0, 1.0, 1.0, 2.0]))
    assert found.objective == 0.0
    assert ranked(np.array([0.0, 1.0, 1.0, 2.0])).tolist() == [3, 1, 2, 0]


def test_no_time_leaves_the_program_as_it_is() -> None:
    found = Replay(CountingDown(), SEQUENCES).solve(PROGRAM, budget=Budget(seconds=0.0))
    assert found.objective == 6.0 and found.assignment is not None and not len(found.assignment)


def test_a_budget_that_covers_everything_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    replay = Replay(CountingDown(), SEQUENCES)
    with caplog.at_level(logging.WARNING):
        replay.solve(PROGRAM, budget=Budget(evaluations=9))
        assert not caplog.messages
        for _ in range(2):
            replay.solve(PROGRAM, budget=Budget(evaluations=10))
    assert caplog.messages == [
        "the 4 sequences have 10 passes, which the budget of 10 covers: every order of them gives the same"
    ]
    assert binds(SEQUENCES, 9) and not binds(SEQUENCES, 10) and not binds(SEQUENCES, None)


def test_no_sequence_is_refused() -> None:
    with pytest.raises(ConfigError, match="replay: there is no sequence; give a coreset"):
        Replay(CountingDown(), [])


def test_a_real_program_becomes_as_small_as_the_trajectories_say() -> None:
    program = Program("a/sum", "a", SUM)
    with LlvmliteCompiler() as compiler:
        sroa, o2 = compiler.actions.index("sroa"), compiler.actions.index("default<O2>")
        found = Replay(compiler, [(o2,), (sroa, sroa)]).solve(program, budget=Budget(evaluations=3))
    assert found.objective == 11.0 and found.assignment is not None and found.assignment.tolist() == [sroa]
