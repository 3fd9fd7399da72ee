"""Initial solutions."""

import numpy as np
import pytest

from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.generators.cfl import CapacitatedFacilityLocation
from data.ilp.generators.gisp import GeneralizedIndependentSet
from data.ilp.generators.mis import MaximumIndependentSet
from data.ilp.generators.mk import MultidimensionalKnapsack
from data.ilp.generators.mvc import MinimumVertexCover
from data.ilp.generators.sc import SetCover
from data.ilp.problem import ILP
from runs import interrupt
from runs.anytime import Trace
from runs.errors import ConfigError
from solvers.base import Budget, Solution, Status
from solvers.lns.start import FirstSolution, Greedy
from solvers.milp.highs import Highs

FAMILIES = {
    "ca": CombinatorialAuction(60, 120),
    "cfl": CapacitatedFacilityLocation(20, 10),
    "gisp": GeneralizedIndependentSet(40),
    "mis": MaximumIndependentSet(200),
    "mk": MultidimensionalKnapsack(60, 5),
    "mvc": MinimumVertexCover(100, 5),
    "sc": SetCover(100, 80, 0.05),
}


def greedy(problem, seconds=60.0):
    return Greedy().solve(problem, budget=Budget(seconds=seconds), rng=np.random.default_rng(0))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_greedy_starts_every_family_and_nothing_single_improves_it(family):
    problem = FAMILIES[family](np.random.default_rng(0), family)
    solution = greedy(problem)
    assert solution.status == Status.FEASIBLE
    assert problem.is_feasible(solution.assignment)
    assert solution.objective == problem.objective(solution.assignment) == solution.trace.objective[-1]
    minimise = problem.to_min()
    for j in np.flatnonzero(problem.binary):
        flipped = solution.assignment.copy()
        flipped[j] = 1 - flipped[j]
        better = minimise.objective(flipped) < minimise.objective(solution.assignment) - 1e-9
        raised_from_zero = family in ("ca", "gisp", "mis", "mk")
        if better and flipped[j] == raised_from_zero:
            assert not problem.is_feasible(flipped)


def test_greedy_hands_over_where_neither_corner_is_feasible():
    problem = ILP.build([1.0, 1, 1], [[6.0, 10, 15]], row_lo=31, row_hi=31, lb=0, ub=9, integer=True)
    assert greedy(problem).status == Status.NO_SOLUTION
    found = Greedy(FirstSolution(Highs())).solve(problem, budget=Budget(seconds=9), rng=np.random.default_rng(0))
    np.testing.assert_array_equal(found.assignment, [1, 1, 1])
    assert found.status == Status.OPTIMAL
    assert found.trace.objective[-1] == 3


def test_greedy_adds_by_value_per_row_and_drops_by_cost():
    # item 0 is worth 5 in two rows, items 1 and 2 are worth 3 and 2 in one: 3 per row beats 2.5
    packing = ILP.build([5.0, 3, 2], [[1.0, 1, 0], [1, 0, 1]], row_hi=1, lb=0, ub=1, integer=True, maximize=True)
    np.testing.assert_array_equal(greedy(packing).assignment, [0, 1, 1])
    covering = ILP.build([1.0, 3, 2], [[1.0, 1, 0], [0, 1, 1]], row_lo=1, lb=0, ub=1, integer=True)
    np.testing.assert_array_equal(greedy(covering).assignment, [1, 0, 1])


def test_greedy_moves_general_integers_as_far_as_rows_allow():
    problem = ILP.build([3.0, 1.0], [[2.0, 1.0]], row_hi=7, lb=0, ub=[9, 9], integer=True, maximize=True)
    np.testing.assert_array_equal(greedy(problem).assignment, [3, 1])


def test_greedy_without_a_feasible_corner_or_time_says_no_solution():
    parity = ILP.build(np.ones(3), [[1.0, 1, 1]], row_lo=1, row_hi=1, lb=0, ub=1, integer=True)
    assert greedy(parity).status == Status.NO_SOLUTION
    assert greedy(FAMILIES["mis"](np.random.default_rng(0), "mis"), seconds=0).assignment is None


class Late:
    """Finds something only in its ``luck``-th try."""

    def __init__(self, luck):
        self.luck = luck
        self.limits = []

    def solve(self, problem, *, budget, **others):
        self.limits.append(budget.seconds)
        if len(self.limits) == self.luck:
            return Highs().solve(problem, budget=budget, rng=np.random.default_rng(0))
        return Solution(None, np.nan, False, Status.NO_SOLUTION, Trace())


def first(solver, seconds=1000.0, **settings):
    problem = FAMILIES["ca"](np.random.default_rng(0), "ca")
    return FirstSolution(solver, **settings).solve(
        problem, budget=Budget(seconds=seconds), rng=np.random.default_rng(0)
    )


def test_first_solution_doubles_its_limit_until_something_is_found():
    solver = Late(4)
    assert first(solver, seconds=10_000).feasible
    assert solver.limits == [10, 20, 40, 80]


def test_the_first_try_takes_no_more_than_its_share_of_the_budget():
    for seconds, share, limits in ((8, 0.25, [2, 4]), (60, 0.25, [10, 20]), (8, 1.0, [8, 8]), (8, 0.5, [4, 8])):
        solver = Late(2)
        assert first(solver, seconds=seconds, share=share).feasible
        assert solver.limits == pytest.approx(limits, rel=0.3)


def test_first_solution_gives_up_after_the_longest_try():
    solver = Late(99)
    solution = first(solver, seconds=1e6, longest=50)
    assert (solution.status, solution.assignment) == (Status.NO_SOLUTION, None)
    assert solver.limits == [10, 20, 40, 50]


def test_first_solution_never_asks_for_more_than_the_budget():
    solver = Late(99)
    first(solver, seconds=0.2, longest=900)
    assert solver.limits and all(limit <= 0.2 for limit in solver.limits)


def test_first_solution_stops_on_a_signal():
    class Signalled:
        def solve(self, problem, **others):
            interrupt._requested.set()
            return Late(9).solve(problem, **others)

    try:
        assert first(Signalled()).status == Status.INTERRUPTED
    finally:
        interrupt.clear()


@pytest.mark.parametrize("setting", [{"seconds": 0}, {"seconds": 20, "longest": 10}, {"share": 0}, {"share": 1.5}])
def test_first_solution_limits_out_of_range_are_refused(setting):
    with pytest.raises(ConfigError, match=r"lns\.start"):
        FirstSolution(Highs(), **setting)
