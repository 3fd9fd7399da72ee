"""Every back end against enumeration, and what they all promise."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp

from data.ilp.problem import ILP
from runs.errors import ConfigError, InvalidProblem
from solvers.base import Budget, Status
from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.scip import Scip

BACK_ENDS = {"scip": Scip(), "highs": Highs(), "cp_sat": CpSat()}
BUDGET = Budget(seconds=20)
INF = np.inf

every_back_end = pytest.mark.parametrize("name", list(BACK_ENDS))
both_mip_back_ends = pytest.mark.parametrize("name", ["scip", "highs"])


def run(name, problem, budget=BUDGET, **arguments):
    return BACK_ENDS[name].solve(problem.validate(), budget=budget, rng=np.random.default_rng(7), **arguments)


@st.composite
def tiny_ilps(draw):
    """Pure integer problems of at most 5 variables with small boxes, every kind of row, both senses."""
    n, m = draw(st.integers(1, 5)), draw(st.integers(0, 4))
    numbers = st.integers(-4, 4)
    A = np.array(draw(st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=m, max_size=m)), float).reshape(m, n)
    scale = draw(st.sampled_from([1.0, 0.5, 0.1, 1 / 3]))
    c = np.array(draw(st.lists(numbers, min_size=n, max_size=n)), float) * draw(st.sampled_from([1.0, 0.37, 1000.0]))
    lb = np.array(draw(st.lists(st.integers(-2, 1), min_size=n, max_size=n)), float)
    ub = lb + draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    lo, hi = np.full(m, -INF), np.full(m, INF)
    for i in range(m):
        side = draw(st.integers(-6, 6))
        kind = draw(st.sampled_from(["le", "ge", "eq", "range", "free"]))
        lo[i], hi[i] = {
            "le": (-INF, side),
            "ge": (side, INF),
            "eq": (side, side),
            "range": (side, side + 3),
            "free": (-INF, INF),
        }[kind]
    return ILP.build(
        c,
        A * scale,
        lo * scale,
        hi * scale,
        lb,
        ub,
        True,
        maximize=draw(st.booleans()),
        offset=draw(st.sampled_from([0.0, -2.5])),
    )


def enumerated(problem):
    """Best objective over all points of the box, None without a feasible one."""
    box = [range(int(a), int(b) + 1) for a, b in zip(problem.lb, problem.ub, strict=True)]
    values = [
        problem.objective(np.array(x, float))
        for x in itertools.product(*box)
        if problem.is_feasible(np.array(x, float))
    ]
    return None if not values else max(values) if problem.maximize else min(values)


@every_back_end
@settings(max_examples=60)
@given(problem=tiny_ilps())
def test_optimum_equals_enumeration(name, problem):
    best = enumerated(problem)
    answer = run(name, problem)
    if best is None:
        assert (answer.status, answer.assignment, answer.feasible) == (Status.INFEASIBLE, None, False)
    else:
        assert answer.status == Status.OPTIMAL
        assert answer.objective == pytest.approx(best, abs=1e-9)
        assert answer.feasible and problem.is_feasible(answer.assignment, 1e-9)
        assert answer.objective == problem.objective(answer.assignment)
        assert (answer.assignment == np.rint(answer.assignment)).all()
        assert answer.trace.bound[-1] == answer.objective


@every_back_end
@settings(max_examples=40)
@given(problem=tiny_ilps(), step=st.sampled_from([-1.0, 0.0, 1e-3]))
def test_cutoff_admits_equal_and_refuses_worse(name, problem, step):
    best = enumerated(problem)
    if best is None:
        return
    better = 1 if problem.maximize else -1
    answer = run(name, problem, cutoff=best + better * step)
    if step > 0:
        assert (answer.status, answer.assignment) == (Status.INFEASIBLE, None)
    else:
        assert answer.status == Status.OPTIMAL
        assert answer.objective == pytest.approx(best, abs=1e-9)


@both_mip_back_ends
@settings(max_examples=40)
@given(problem=tiny_ilps(), mask=st.lists(st.booleans(), min_size=5, max_size=5))
def test_mixed_problems_agree_with_scipy_milp(name, problem, mask):
    integer = np.array(mask[: problem.n])
    mixed = ILP.build(
        problem.c, problem.A, problem.row_lo, problem.row_hi, problem.lb, problem.ub + 0.5 * ~integer, integer,
        maximize=problem.maximize, offset=problem.offset,
    )  # fmt: skip
    sense = -1 if mixed.maximize else 1
    rows = LinearConstraint(mixed.A.toarray(), mixed.row_lo, mixed.row_hi) if mixed.m else ()
    reference = milp(sense * mixed.c, integrality=integer, bounds=(mixed.lb, mixed.ub), constraints=rows)
    answer = run(name, mixed)
    if reference.status == 2:
        assert answer.status == Status.INFEASIBLE
    else:
        assert answer.status == Status.OPTIMAL
        # scipy's integers may be off by 1e-6, times coefficients of up to 4
        assert answer.objective == pytest.approx(sense * reference.fun + mixed.offset, abs=2e-5)
        assert (answer.assignment[integer] == np.rint(answer.assignment[integer])).all()


def knapsack(n=20, seed=0):
    """A maximisation that has many solutions on the way to the best."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(20, 100, (2, n)).astype(float)
    return ILP.build(
        weights.sum(0) + rng.integers(0, 20, n), weights, -INF, weights.sum(1) / 3, 0, 1, True, maximize=True
    )


@every_back_end
def test_start_is_the_first_row_of_the_trace_and_survives_an_empty_budget(name):
    problem, start = knapsack(), np.zeros(20)
    start[3] = 1.0
    answer = run(name, problem, Budget(seconds=0), initial=start)
    assert (answer.assignment == start).all()
    assert answer.status == Status.FEASIBLE
    assert answer.trace.objective == [problem.objective(start)] * 2


@every_back_end
def test_nothing_in_no_time_is_no_solution(name):
    answer = run(name, knapsack(), Budget(seconds=0))
    assert (answer.status, answer.feasible, math.isnan(answer.objective)) == (Status.NO_SOLUTION, False, True)
    assert len(answer.trace) == 1


@every_back_end
def test_trace_improves_and_callback_sees_each_improvement(name):
    problem, seen = knapsack(), []
    began = time.monotonic()
    answer = run(name, problem, initial=np.zeros(20), on_incumbent=lambda *row: seen.append(row))
    took = time.monotonic() - began
    assert answer.status == Status.OPTIMAL
    assert answer.trace.objective[0] == 0.0
    assert (np.diff(answer.trace.objective[:-1]) > 0).all()
    assert answer.trace.objective[-1] == answer.objective == answer.trace.bound[-1]
    assert (np.diff(answer.trace.seconds) >= 0).all() and answer.trace.seconds[-1] <= took
    assert [row[2] for row in seen] == answer.trace.objective[:-1]
    for _, assignment, objective in seen:
        assert problem.is_feasible(assignment) and problem.objective(assignment) == objective


@every_back_end
def test_all_three_find_the_same_optimum(name):
    assert run(name, knapsack(seed=3)).objective == run("highs", knapsack(seed=3)).objective


@every_back_end
def test_infeasible_start_names_the_worst_row(name):
    problem = ILP.build([1, 1], [[1, 1], [2, 3]], 0, [1, 1], 0, 1, True, row_names=["pair", "heavy"])
    with pytest.raises(InvalidProblem, match=r"initial solution is infeasible: row 'heavy'.*<= 1, is 5"):
        run(name, problem, initial=np.ones(2))
    with pytest.raises(InvalidProblem, match=r"shape \(3,\)"):
        run(name, problem, initial=np.zeros(3))


@every_back_end
def test_partial_start_is_a_hint_only(name):
    start = np.full(20, np.nan)
    start[:5] = 1.0
    problem = knapsack()
    assert run(name, problem, initial=start).objective == run(name, problem).objective


@every_back_end
def test_start_worse_than_the_cutoff_is_not_an_answer(name):
    problem = ILP.build([3, 2], [[1, 1]], -INF, 1, 0, 1, True, maximize=True)
    answer = run(name, problem, initial=np.zeros(2), cutoff=4.0)
    assert (answer.status, answer.assignment) == (Status.INFEASIBLE, None)
    answer = run(name, problem, initial=np.array([1.0, 0.0]), cutoff=3.0)
    assert (answer.status, answer.objective) == (Status.OPTIMAL, 3.0)


@every_back_end
def test_statuses_tell_infeasible_from_unbounded(name):
    unbounded = ILP.build([-1, 0], [[1, -1]], 0, INF, 0, INF, True)
    assert run(name, unbounded).status == Status.UNBOUNDED
    upwards = ILP.build([1, 0], [[1, -1]], 0, INF, 0, INF, True, maximize=True)
    assert run(name, upwards).status == Status.UNBOUNDED
    ray_but_empty = ILP.build([-1, 0, 0], [[0, 2, 2]], 1, 1, 0, [INF, 1, 1], True)  # 2 y + 2 z = 1 over the integers
    unproved = Status.NO_SOLUTION  # the box CP-SAT puts around it proves nothing, and the relaxation is feasible
    assert run(name, ray_but_empty).status == (unproved if name == "cp_sat" else Status.INFEASIBLE)
    empty = ILP.build([0, 0], [[1, 1]], 3, INF, 0, 1, True)
    assert run(name, empty).status == Status.INFEASIBLE


@every_back_end
def test_degenerate_shapes(name):
    no_rows = ILP.build([1, -1], np.zeros((0, 2)), [], [], 0, 5, True, offset=2.0)
    answer = run(name, no_rows)
    assert (answer.status, answer.objective, answer.assignment.tolist()) == (Status.OPTIMAL, -3.0, [0.0, 5.0])
    no_columns = ILP.build([], np.zeros((1, 0)), 0, 1, [], [], [], offset=4.0)
    assert (run(name, no_columns).status, run(name, no_columns).objective) == (Status.OPTIMAL, 4.0)
    assert run(name, ILP.build([], np.zeros((1, 0)), 1, 1, [], [], [])).status == Status.INFEASIBLE
    empty_row = ILP.build([1, 1], [[0, 0], [1, 1]], [-1, 1], INF, 0, 1, True)
    assert run(name, empty_row).objective == 1.0
    impossible_row = ILP.build([1, 1], [[0, 0], [1, 1]], [1, 1], INF, 0, 1, True)
    assert run(name, impossible_row).status == Status.INFEASIBLE
    no_objective = ILP.build([0, 0], [[1, 1]], 1, 1, 0, 1, True)
    assert run(name, no_objective).objective == 0.0


@every_back_end
def test_general_integers_with_huge_and_missing_bounds(name):
    huge = ILP.build([-1, -3], [[1, 2]], -INF, 10**9 + 1, 0, 10**12, True)
    answer = run(name, huge)
    assert (answer.status, answer.objective) == (Status.OPTIMAL, -1_500_000_001.0)
    free = ILP.build([1, 1], [[2, 1], [0, 1]], [7, -3], INF, -INF, INF, True)
    answer = run(name, free)
    assert answer.objective == 2.0 and answer.feasible
    assert answer.status == Status.OPTIMAL


@both_mip_back_ends
def test_continuous_and_free_variables(name):
    lp = ILP.build([1, 2], [[1, 1], [1, -1]], [1.5, -4], [INF, 0.25], -INF, INF, False)
    answer = run(name, lp)
    assert (answer.status, answer.objective) == (Status.OPTIMAL, pytest.approx(2.125))
    assert run(name, ILP.build([1.0], [[1.0]], -INF, 3, -INF, INF, False)).status == Status.UNBOUNDED
    assert (
        run(name, ILP.build([1.0], [[1.0], [1.0]], [-INF, 4], [3, INF], -INF, INF, False)).status == Status.INFEASIBLE
    )


@both_mip_back_ends
def test_cutoff_of_a_linear_program(name):
    lp = ILP.build([1, 2], [[1, 1]], 1.5, INF, 0, [1, INF], False, offset=10.0)
    assert run(name, lp, cutoff=12.0).objective == pytest.approx(12.0)
    assert (run(name, lp, cutoff=11.9).status, run(name, lp, cutoff=11.9).assignment) == (Status.INFEASIBLE, None)


@both_mip_back_ends
def test_fractional_bounds_of_integers_are_rounded_inwards(name):
    assert run(name, ILP.build([1.0], [[1.0]], -INF, INF, 0.4, 2.6, True)).assignment.tolist() == [1.0]
    assert run(name, ILP.build([-1.0], [[1.0]], -INF, INF, 0.4, 2.6, True)).assignment.tolist() == [2.0]


@both_mip_back_ends
def test_node_limit_stops_early_with_a_checked_bound(name):
    rng = np.random.default_rng(1)
    A = rng.integers(10, 60, (8, 60)).astype(float)
    problem = ILP.build(rng.integers(10, 60, 60), A, -INF, A.sum(1) // 4, 0, 1, True, maximize=True)
    answer = run(name, problem, Budget(evaluations=1))
    assert answer.status == Status.FEASIBLE
    assert answer.trace.evaluations[-1] <= 2
    assert answer.trace.bound[-1] >= answer.objective


@every_back_end
def test_same_seed_same_answer(name):
    first, second = (run(name, knapsack(seed=5), Budget(evaluations=3)) for _ in range(2))
    assert (first.assignment == second.assignment).all()
    assert first.trace.objective == second.trace.objective


@pytest.mark.parametrize(
    "solver",
    [
        Scip(settings={"limits/gapp": 1}),
        Scip(settings={"limits/gap": "wide"}),
        Highs(settings={"mip_gap": 0}),
        CpSat(parameters={"num_worker": 1}),
    ],
)
def test_unknown_settings_are_refused(solver):
    with pytest.raises(ConfigError, match=r"refuses|no parameter"):
        solver.solve(knapsack(), budget=BUDGET, rng=np.random.default_rng(0))


def test_unknown_emphasis_is_refused():
    with pytest.raises(ConfigError, match="aggressive"):
        Scip(emphasis="agressive")


@pytest.mark.parametrize(
    "solver", [Scip("aggressive"), Scip(presolve=False), Highs(presolve=False), CpSat(1, True, True)]
)
def test_variants_reach_the_same_optimum(solver):
    answer = solver.solve(knapsack(12), budget=BUDGET, rng=np.random.default_rng(0))
    assert answer.objective == run("highs", knapsack(12)).objective


def market_split():
    """Five equations over 60 binaries with penalised slacks: nobody proves its optimum in minutes."""
    A = np.random.default_rng(0).integers(1, 1000, (5, 60)).astype(float)
    side = A.sum(1) // 2
    wide = np.hstack([A, np.eye(5), -np.eye(5)])
    return ILP.build([0] * 60 + [1] * 10, wide, side, side, 0, [1] * 60 + [10**5] * 10, True)


@every_back_end
def test_budget_ends_the_solve_with_the_best_so_far(name):
    problem = market_split()
    start = np.concatenate([np.zeros(60), problem.row_lo, np.zeros(5)])
    answer = run(name, problem, Budget(seconds=1.0), initial=start)
    assert answer.status == Status.FEASIBLE
    assert answer.objective < problem.objective(start)
    assert 0.9 <= answer.trace.seconds[-1] < 30.0  # a broken limit would run for minutes


@every_back_end
def test_an_error_in_the_callback_reaches_the_caller(name):
    def refuse(*row):
        raise ZeroDivisionError("from the callback")

    with pytest.raises(ZeroDivisionError, match="from the callback"):
        run(name, knapsack(), on_incumbent=refuse)
