"""What enters the incumbent, and what the final answer may claim."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from data.ilp.problem import ILP
from runs.errors import SolverFailure
from solvers.base import Budget, Status
from solvers.milp.incumbent import Incumbent
from solvers.milp.native import Candidate, Outcome, solve_native

BIG_M = ILP.build([1, 5], [[1, -1e6]], 0, 0, 0, [2e6, 2], [False, True])  # y = 10^6 z


def test_integers_are_rounded_exactly():
    problem = ILP.build([1, 1], [[1, 1]], 1, np.inf, 0, 1, True)
    incumbent = Incumbent(problem, Budget(10))
    assert incumbent.offer(np.array([0.9999999, -1e-9]))
    assert incumbent.x.tolist() == [1.0, 0.0] and math.copysign(1, incumbent.x[1]) == 1


def test_continuous_part_is_solved_again_where_rounding_broke_it():
    incumbent = Incumbent(BIG_M, Budget(10))
    assert not incumbent.offer(np.array([999999.9, 0.9999999]))
    answer = incumbent.solution(Status.NO_SOLUTION)
    assert (answer.assignment.tolist(), answer.objective, answer.status) == ([1e6, 1.0], 1000005.0, Status.FEASIBLE)


def test_infeasible_candidates_never_enter():
    incumbent = Incumbent(BIG_M, Budget(10))
    assert not incumbent.offer(np.array([5.0, 7.0]))
    assert incumbent.x is None and len(incumbent.trace) == 0


def test_worse_and_equal_candidates_change_nothing():
    problem = ILP.build([1, 1], [[1, 1]], 1, np.inf, 0, 1, True)
    incumbent = Incumbent(problem, Budget(10), initial=np.array([1.0, 0.0]))
    assert not incumbent.offer(np.array([1.0, 1.0])) and not incumbent.offer(np.array([0.0, 1.0]))
    assert incumbent.x.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("claimed", "bound", "granted"),
    [
        (Status.OPTIMAL, 1.0, Status.OPTIMAL),
        (Status.OPTIMAL, 0.5, Status.FEASIBLE),
        (Status.INFEASIBLE, math.nan, Status.OPTIMAL),  # nothing beats the start
        (Status.NO_SOLUTION, math.nan, Status.FEASIBLE),
        (Status.INTERRUPTED, math.nan, Status.INTERRUPTED),
    ],
)
def test_status_agrees_with_the_checked_solution(claimed, bound, granted):
    problem = ILP.build([1, 1], [[1, 1]], 1, np.inf, 0, 1, True)
    incumbent = Incumbent(problem, Budget(10), initial=np.array([1.0, 0.0]))
    assert incumbent.solution(claimed, bound).status == granted


def test_optimum_worse_than_the_cutoff_means_infeasible():
    incumbent = Incumbent(ILP.build([1.0], [[1.0]], 1, np.inf, 0, 3, True), Budget(10), cutoff=0.5)
    assert not incumbent.offer(np.array([1.0]))
    assert incumbent.solution(Status.OPTIMAL, 1.0).status == Status.INFEASIBLE


class Deaf:
    """A native solver that reports one solution, then ignores every request to stop until ``release``."""

    def __init__(self):
        self.release = threading.Event()
        self.asked = 0

    def run(self, report):
        report(Candidate(np.array([1.0, 0.0]), 0.01, 3, 0.5))
        self.release.wait(60)
        return Outcome(Status.OPTIMAL, 1.0)

    def stop(self):
        self.asked += 1


def test_solver_that_ignores_its_limit_is_left_behind():
    problem = ILP.build([1, 1], [[1, 1]], 1, np.inf, 0, 1, True)
    deaf = Deaf()
    try:
        answer = solve_native(Incumbent(problem, Budget(seconds=0.2)), lambda: deaf)
    finally:
        deaf.release.set()
    assert (answer.status, answer.objective) == (Status.FEASIBLE, 1.0)
    assert deaf.asked > 0
    assert answer.trace.evaluations == [3, 3] and answer.trace.bound[0] == 0.5


def test_errors_of_the_native_solver_become_solver_failures():
    class Broken(Deaf):
        def run(self, report):
            raise RuntimeError("singular basis")

    problem = ILP.build([1.0], [[1.0]], 0, 1, 0, 1, True)
    with pytest.raises(SolverFailure, match="singular basis"):
        solve_native(Incumbent(problem, Budget(5)), Broken)
