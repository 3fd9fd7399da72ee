from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.compiler.embedded import LlvmliteCompiler
from data.compiler.problem import PassOrdering
from data.compiler.program import Program
from runs.errors import ConfigError
from solvers.base import Budget, Status
from solvers.compiler.replay import Repertoire, Replay, binds, curve, ranked
from tests.data.compiler.modules import SUM
from tests.solvers.compiler.counting_down import CountingDown, programs

PROBLEM = PassOrdering(programs(b"3 1 2")[0], CountingDown())
SEQUENCES = [(3, 0), (0, 2, 1), (4, 0), (0, 1, 2)]
WHOLE = Repertoire(tuple(SEQUENCES))
COUNTS = [6, 6, 6, 3, 3, 2, 2, 2, 2, 0]  # after 0, 1, ... passes in that order; the third sequence fails at once


def test_every_sequence_starts_anew_and_each_pass_is_paid() -> None:
    found = Replay().solve(PROBLEM, budget=Budget(evaluations=20), scorer=WHOLE)
    assert (found.objective, found.feasible, found.status) == (0.0, True, Status.FEASIBLE)
    assert found.assignment is not None and found.assignment.tolist() == [0, 1, 2]
    assert found.trace.value_at(np.arange(10), by="evaluations").tolist() == COUNTS
    assert found.trace.evaluations[-1] == 9


@pytest.mark.parametrize("budget", range(10))
def test_the_last_sequence_is_cut_where_the_budget_ends(budget: int) -> None:
    found = Replay().solve(PROBLEM, budget=Budget(evaluations=budget), scorer=WHOLE)
    assert found.objective == COUNTS[budget]
    assert found.trace.evaluations[-1] == budget
    assert found.assignment is not None and PROBLEM.objective(found.assignment) == found.objective


@given(st.permutations(range(4)), st.integers(0, 12))
def test_the_curve_of_known_trajectories_is_that_of_the_replay(order: list[int], budget: int) -> None:
    known = [PROBLEM.trajectory(sequence) for sequence in SEQUENCES]
    ordered = Repertoire(tuple(SEQUENCES[s] for s in order))
    found = Replay().solve(PROBLEM, budget=Budget(evaluations=budget), scorer=ordered)
    replayed = found.trace.value_at(np.arange(budget + 1), by="evaluations")
    assert curve(known, order, budget).tolist() == replayed.tolist()


def test_scores_say_which_sequence_comes_first() -> None:
    scored = Repertoire(WHOLE.sequences, lambda program: np.array([0.0, 1.0, 1.0, 2.0]))
    found = Replay().solve(PROBLEM, budget=Budget(evaluations=3), scorer=scored)
    assert found.objective == 0.0
    assert ranked(np.array([0.0, 1.0, 1.0, 2.0])).tolist() == [3, 1, 2, 0]


def test_one_sequence_alone_may_be_asked_for() -> None:
    found = Replay(first=1).solve(PROBLEM, budget=Budget(evaluations=20), scorer=WHOLE)
    assert found.objective == 6.0 and found.trace.evaluations[-1] == 2
    with pytest.raises(ConfigError, match=r"solver\.first"):
        Replay(first=0)


@pytest.mark.parametrize(("budget", "least"), [(None, 0), (1, 3), (2, 2), (3, 0)])
def test_a_budget_for_each_sequence_shows_what_a_perfect_choice_reaches(budget: int | None, least: int) -> None:
    given = Budget(seconds=60.0, evaluations=budget)
    found = Replay(each=True).solve(PROBLEM, budget=given, scorer=WHOLE)
    assert found.objective == least == min(PROBLEM.trajectory(sequence).least(budget) for sequence in SEQUENCES)


def test_no_time_leaves_the_program_as_it_is() -> None:
    found = Replay().solve(PROBLEM, budget=Budget(seconds=0.0), scorer=WHOLE)
    assert found.objective == 6.0 and found.assignment is not None and not len(found.assignment)


def test_a_budget_that_covers_everything_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    replay, scored = Replay(), Repertoire(WHOLE.sequences, lambda program: np.arange(4.0))
    with caplog.at_level(logging.WARNING):
        replay.solve(PROBLEM, budget=Budget(evaluations=9), scorer=scored)
        replay.solve(PROBLEM, budget=Budget(evaluations=10), scorer=WHOLE)  # whose order is not what is asked about
        assert not caplog.messages
        for _ in range(2):
            replay.solve(PROBLEM, budget=Budget(evaluations=10), scorer=scored)
    assert caplog.messages == [
        "the 4 sequences have 10 passes, which the budget of 10 covers: every order of them gives the same"
    ]
    assert binds(SEQUENCES, 9) and not binds(SEQUENCES, 10) and not binds(SEQUENCES, None)


def test_no_sequence_is_refused() -> None:
    with pytest.raises(ConfigError, match="replay: there is no sequence; give a coreset"):
        Repertoire(())


def test_a_real_program_becomes_as_small_as_the_trajectories_say() -> None:
    program = Program("a/sum", "a", SUM)
    with LlvmliteCompiler() as compiler:
        sroa, o2 = compiler.actions.index("sroa"), compiler.actions.index("default<O2>")
        problem = PassOrdering(program, compiler)
        found = Replay().solve(problem, budget=Budget(evaluations=3), scorer=Repertoire(((o2,), (sroa, sroa))))
    assert found.objective == 11.0 and found.assignment is not None and found.assignment.tolist() == [sroa]
