"""The persistent LP against scipy.optimize.linprog, and what it keeps between solves."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from data.ilp.problem import ILP
from runs.errors import ConfigError, InvalidProblem
from solvers.base import Status
from solvers.milp.lp import PersistentLP
from solvers.milp.mathopt import MathOptLP

INF = np.inf


def random_lp(seed, n=12, m=8):
    """A bounded feasible LP with rows of every kind."""
    rng = np.random.default_rng(seed)
    A = rng.integers(-5, 6, (m, n)) * (rng.random((m, n)) < 0.6)
    activity = A @ rng.uniform(0, 2, n)
    lo = np.where(rng.random(m) < 0.4, -INF, activity - rng.random(m))
    hi = np.where(rng.random(m) < 0.4, INF, activity + rng.random(m))
    lo[0] = hi[0] = activity[0]
    return ILP.build(rng.normal(size=n), A, lo, hi, np.where(rng.random(n) < 0.2, -1, 0), 3, offset=1.5)


def reference(problem):
    """scipy's optimum with the marginals of both kinds of rows put together, one number a row."""
    A = problem.A.toarray()
    equal = problem.row_lo == problem.row_hi
    upper, lower = np.isfinite(problem.row_hi) & ~equal, np.isfinite(problem.row_lo) & ~equal
    result = linprog(
        problem.c,
        A_ub=np.vstack([A[upper], -A[lower]]),
        b_ub=np.concatenate([problem.row_hi[upper], -problem.row_lo[lower]]),
        A_eq=A[equal],
        b_eq=problem.row_lo[equal],
        bounds=np.column_stack([problem.lb, problem.ub]),
        method="highs",
    )
    duals = np.zeros(problem.m)
    duals[equal] = result.eqlin.marginals
    duals[upper] += result.ineqlin.marginals[: upper.sum()]
    duals[lower] -= result.ineqlin.marginals[upper.sum() :]
    return result.fun + problem.offset, result.x, duals, result.lower.marginals + result.upper.marginals


def check_against_scipy(result, problem, accuracy=1e-7):
    objective, x, duals, reduced_costs = reference(problem)
    assert result.status == Status.OPTIMAL
    assert result.objective == pytest.approx(objective, abs=accuracy)
    assert np.allclose(result.x, x, atol=accuracy * 10)  # continuous random costs: the optimum is unique
    assert np.allclose(result.duals, duals, atol=accuracy * 10)
    assert np.allclose(result.reduced_costs, reduced_costs, atol=accuracy * 10)


@pytest.mark.parametrize("algorithm", ["auto", "dual_simplex", "primal_simplex", "ipm"])
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_optimum_duals_and_reduced_costs_equal_scipy(algorithm, seed):
    problem = random_lp(seed)
    check_against_scipy(PersistentLP(problem).solve(algorithm), problem)


@pytest.mark.parametrize(("solver", "accuracy"), [("glop", 1e-6), ("pdlp", 1e-3)])
def test_or_tools_solvers_equal_scipy(solver, accuracy):
    for seed in range(5):
        problem = random_lp(seed)
        check_against_scipy(MathOptLP(solver).solve(problem), problem, accuracy)


def test_signs_of_duals_and_reduced_costs():
    # min 2x + 3y, x + y >= 4, x <= 1: y = 3; one more unit of the side costs 3, x at its upper limit is worth 1 a unit
    result = PersistentLP(ILP.build([2, 3], [[1, 1]], 4, INF, 0, [1, INF])).solve()
    assert result.duals == pytest.approx([3.0])
    assert result.reduced_costs == pytest.approx([-1.0, 0.0])
    # max x, x <= 4 as min -x: raising the side lowers the optimum
    assert PersistentLP(ILP.build([-1.0], [[1.0]], -INF, 4)).solve().duals == pytest.approx([-1.0])


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_changes_in_place_equal_a_model_built_anew(seed):
    rng = np.random.default_rng(seed)
    problem = random_lp(seed)
    lp = PersistentLP(problem)
    lp.solve()
    c = rng.normal(size=problem.n)
    ub = problem.ub.copy()
    chosen = rng.choice(problem.n, 3, replace=False)
    ub[chosen] = 5.0
    dense = rng.normal(size=problem.n)
    first, last = rng.normal(size=problem.n), rng.normal(size=problem.n)
    lp.set_costs(c)
    lp.set_bounds(problem.lb[chosen], ub[chosen], chosen)
    row = lp.add_row(dense, -1.0, 60.0)
    A = np.vstack([problem.A.toarray(), dense])
    check_same(lp, ILP.build(c, A, [*problem.row_lo, -1.0], [*problem.row_hi, 60.0], problem.lb, ub, offset=1.5))
    lp.set_row(row, last, -50.0, 50.0)
    lp.set_row(1, sp.csr_matrix(first), -40.0, 40.0)
    lp.set_row_bounds(2, -INF, INF)
    A[-1], A[1] = last, first
    lo, hi = np.array([*problem.row_lo, -50.0]), np.array([*problem.row_hi, 50.0])
    lo[1:3], hi[1:3] = [-40.0, -INF], [40.0, INF]
    check_same(lp, ILP.build(c, A, lo, hi, problem.lb, ub, offset=1.5))


def check_same(lp, problem):
    anew, result = PersistentLP(problem).solve(), lp.solve()
    assert result.status == anew.status
    if anew.status == Status.OPTIMAL:
        assert result.objective == pytest.approx(anew.objective, abs=1e-6)
        assert np.allclose(result.x, anew.x, atol=1e-5)
        assert np.allclose(result.duals, anew.duals, atol=1e-5)


def test_warm_start_needs_no_iterations_and_survives_a_round_trip():
    problem = random_lp(3, 60, 40)
    lp = PersistentLP(problem)
    first = lp.solve()
    assert lp.solve().iterations == 0
    columns, rows = lp.basis()
    assert (columns.dtype, columns.shape, rows.shape) == (np.int8, (60,), (40,))
    assert (columns == 1).sum() + (rows == 1).sum() == 40
    other = PersistentLP(problem)
    assert other.basis() is None
    other.set_basis(columns, rows)
    resumed = other.solve()
    assert resumed.iterations == 0
    assert (resumed.x == first.x).all() or np.allclose(resumed.x, first.x, atol=1e-9)
    with pytest.raises(ConfigError, match="no basis"):
        other.set_basis(columns[:-1], rows)
    with pytest.raises(ConfigError, match="no basis"):
        other.set_basis(columns + 9, rows)


def test_row_of_local_branching_follows_the_incumbent():
    rng = np.random.default_rng(0)
    n = 60
    edges = np.array([(i, j) for i in range(n) for j in range(i + 1, n) if rng.random() < 0.1])
    A = sp.csr_matrix((np.ones(2 * len(edges)), (np.repeat(np.arange(len(edges)), 2), edges.ravel())), (len(edges), n))
    problem = ILP.build(rng.random(n), A, 1, INF, 0, 1, True)
    lp = PersistentLP(problem)
    incumbent, k = np.ones(n), 5
    row = lp.add_row(1 - 2 * incumbent, -INF, k - incumbent.sum())
    for j in range(8):
        incumbent[j] = 1 - incumbent[j]
        lp.set_row(row, 1 - 2 * incumbent, -INF, k - incumbent.sum())
        full = ILP.build(
            problem.c, sp.vstack([A, sp.csr_matrix(1 - 2 * incumbent)]), [*problem.row_lo, -INF],
            [*problem.row_hi, k - incumbent.sum()], 0, 1,
        )  # fmt: skip
        result, anew = lp.solve(), PersistentLP(full).solve()
        assert result.status == anew.status
        if anew.status == Status.OPTIMAL:
            assert result.objective == pytest.approx(anew.objective, abs=1e-7)
            assert np.abs(result.x - incumbent).sum() <= k + 1e-6


def test_statuses_and_time_limit():
    assert PersistentLP(ILP.build([1.0], [[1.0], [1.0]], [2, -INF], [INF, 1])).solve().status == Status.INFEASIBLE
    assert PersistentLP(ILP.build([-1.0], [[1.0]], 0, INF)).solve().status == Status.UNBOUNDED
    assert PersistentLP(ILP.build([-1.0, 1.0], [[1, -1]], -INF, 0, -INF, INF)).solve("dual_simplex").status in (
        Status.OPTIMAL,
    )
    lp = PersistentLP(random_lp(0, 60, 40))
    stopped = lp.solve("dual_simplex", seconds=0.0)
    assert (stopped.status, stopped.x) == (Status.NO_SOLUTION, None)
    for _ in range(3):  # the limit is per solve although HiGHS adds its clock up
        assert lp.solve("dual_simplex", seconds=5.0).status == Status.OPTIMAL


def test_no_rows_no_columns():
    result = PersistentLP(ILP.build([1, -1], np.zeros((0, 2)), [], [], 0, 2)).solve()
    assert (result.status, result.objective) == (Status.OPTIMAL, -2.0)
    assert PersistentLP(ILP.build([], np.zeros((0, 0)), [], [], [], [], [], offset=3.0)).solve().objective == 3.0


def test_interior_point_without_crossover_is_inside_the_optimal_face():
    problem = ILP.build([1, 1], [[1, 1]], 1, INF, 0, 1)
    vertex, inside = (PersistentLP(problem).solve("ipm", crossover) for crossover in (True, False))
    assert inside.objective == pytest.approx(vertex.objective, abs=1e-6)
    assert set(np.round(vertex.x, 6)) == {0.0, 1.0}


def test_bad_input_is_refused():
    problem = random_lp(1)
    lp = PersistentLP(problem)
    with pytest.raises(ConfigError, match="dual_simplex"):
        lp.solve("dual")
    with pytest.raises(ConfigError, match="outside"):
        lp.set_row_bounds(8, 0, 1)
    with pytest.raises(InvalidProblem, match="shape"):
        lp.add_row(np.ones(3), 0, 1)
    with pytest.raises(InvalidProblem, match="minimisation"):
        PersistentLP(ILP.build([1.0], [[1.0]], maximize=True))
    with pytest.raises(InvalidProblem, match="minimisation"):
        MathOptLP().solve(ILP.build([1.0], [[1.0]], maximize=True))
    with pytest.raises(ConfigError, match="pdlp"):
        MathOptLP("pdpl")
