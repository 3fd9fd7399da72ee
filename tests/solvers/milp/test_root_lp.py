"""The root LP is an optimal vertex with a basis, or an error that says why there is none."""

import numpy as np
import pytest
from scipy.optimize import linprog

from data.ilp.problem import ILP
from data.ilp.root_lp import BasisStatus
from runs.errors import ConfigError, InvalidProblem
from solvers.milp.lp import LPUnfinished
from solvers.milp.root_lp import solve_root_lp


def covering(seed, n=8, m=12):
    rng = np.random.default_rng(seed)
    A = rng.integers(1, 5, (m, n)) * (rng.random((m, n)) < 0.5)
    A[:, 0] = 1
    return ILP.build(rng.uniform(1, 3, n), A, row_lo=1, row_hi=9, ub=2, integer=True, offset=3.0)


@pytest.mark.parametrize("algorithm", ["auto", "dual_simplex", "primal_simplex", "ipm"])
@pytest.mark.parametrize("seed", range(5))
def test_root_lp_equals_scipy_and_keeps_the_signs_of_its_basis(algorithm, seed):
    problem = covering(seed)
    lp = solve_root_lp(problem, 10, algorithm)
    dense = problem.A.toarray()
    best = linprog(problem.c, np.vstack([dense, -dense]), np.repeat([9.0, -1.0], problem.m), bounds=(0, 2))
    assert lp.objective == pytest.approx(best.fun + 3.0)
    np.testing.assert_allclose(lp.x, best.x, atol=1e-7)
    np.testing.assert_allclose(lp.reduced_costs, problem.c - problem.A.T @ lp.duals, atol=1e-7)
    basic = (lp.column_status == BasisStatus.BASIC).sum() + (lp.row_status == BasisStatus.BASIC).sum()
    assert basic == problem.m
    assert (lp.x[lp.column_status == BasisStatus.LOWER] == 0).all()
    assert (lp.x[lp.column_status == BasisStatus.UPPER] == 2).all()
    assert lp.reduced_costs[lp.column_status == BasisStatus.BASIC] == pytest.approx(0, abs=1e-7)
    assert lp.duals[lp.row_status == BasisStatus.BASIC] == pytest.approx(0, abs=1e-7)


def test_a_free_variable_that_stays_out_of_the_basis_is_at_zero():
    lp = solve_root_lp(ILP.build([0.0, 0], [[1.0, 1]], 1, 2, lb=-np.inf))
    assert sorted(lp.column_status) == [BasisStatus.BASIC, BasisStatus.ZERO]


def test_no_rows_are_a_problem_of_bounds():
    lp = solve_root_lp(ILP.build([1.0, -1], np.zeros((0, 2)), ub=[1, 4]))
    assert (lp.x.tolist(), lp.objective) == ([0, 4], -4)


@pytest.mark.parametrize(
    ("problem", "error", "message"),
    [
        (ILP.build([1.0], [[1.0]], row_lo=2, ub=1, name="p"), InvalidProblem, "p: the LP relaxation is infeasible"),
        (
            ILP.build([-1.0], [[1.0]], row_lo=2, name="p"),
            InvalidProblem,
            "p: the LP relaxation is unbounded; give finite",
        ),
        (ILP.build([1.0], [[1.0]], row_hi=2, maximize=True), InvalidProblem, "to_min"),
        (ILP.build([], np.zeros((0, 0)), name="p"), InvalidProblem, "p: there are no variables"),
    ],
)
@pytest.mark.parametrize("algorithm", ["auto", "dual_simplex"])
def test_a_problem_without_an_optimal_vertex_is_refused(problem, error, message, algorithm):
    with pytest.raises(error, match=message):
        solve_root_lp(problem, 10, algorithm)


def test_no_vertex_in_time_names_the_size_and_the_remedy():
    rng = np.random.default_rng(0)
    slow = ILP.build(rng.random(400), (rng.random((800, 400)) < 0.1) * rng.random((800, 400)), row_lo=1, ub=1)
    with pytest.raises(LPUnfinished, match=r"400 variables, 800 rows\) within 1e-05 s; give it more seconds"):
        solve_root_lp(slow, 1e-5)


def test_an_algorithm_without_a_basis_is_refused():
    with pytest.raises(ConfigError, match="pdlp"):
        solve_root_lp(covering(0), algorithm="pdlp")
