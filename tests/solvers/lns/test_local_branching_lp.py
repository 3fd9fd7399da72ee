"""The LP of local branching against closed forms and scipy."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.generators.mis import MaximumIndependentSet
from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.base import Budget
from solvers.lns.destroy.lb_relax import LBRelax
from solvers.lns.distance import distance_row, measured, with_row
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.start import Greedy
from solvers.lns.state import SearchState


def state_of(problem, incumbent, **more):
    candidates = np.flatnonzero(problem.integer & (problem.lb < problem.ub))
    return SearchState(problem, candidates, incumbent, problem.objective(incumbent), **more)


def unconstrained(costs):
    n = len(costs)
    return ILP.build(costs, sp.csr_matrix((0, n)), lb=0, ub=1, integer=True)


def test_without_rows_the_k_best_flips_are_taken():
    # incumbent 1 0 1 0, gains of flipping 5, 3, -2, 1: with k = 2 flip the first two, value -(5 + 3) below
    problem = unconstrained([5.0, -3.0, -2.0, -1.0])
    lp = LocalBranchingLP()
    lp.prepare(problem)
    x = np.array([1.0, 0.0, 1.0, 0.0])
    relaxation = lp.relax(state_of(problem, x), 2)
    np.testing.assert_allclose(relaxation.x, [0, 1, 1, 0], atol=1e-9)
    assert relaxation.objective == pytest.approx(problem.objective(x) - 8)


def test_triangle_cover_moves_every_vertex_by_a_half():
    # vertex cover of a triangle, weights 1, incumbent all ones: the LP optimum 1/2 each has distance 3/2
    edges = sp.csr_matrix([[1.0, 1, 0], [0, 1, 1], [1, 0, 1]])
    problem = ILP.build(np.ones(3), edges, row_lo=1, lb=0, ub=1, integer=True)
    lp = LocalBranchingLP()
    lp.prepare(problem)
    ones = np.ones(3)
    np.testing.assert_allclose(lp.relax(state_of(problem, ones), 2).x, 0.5, atol=1e-9)
    assert lp.relax(state_of(problem, ones), 1).objective == pytest.approx(2.0)  # the row binds: 3 - 1


@pytest.mark.parametrize("algorithm", ["auto", "dual_simplex", "primal_simplex", "ipm"])
def test_every_solve_of_a_moving_ball_agrees_with_scipy(algorithm):
    problem = CombinatorialAuction(30, 60)(np.random.default_rng(0), "ca").to_min()
    lp = LocalBranchingLP(algorithm=algorithm)
    lp.prepare(problem)
    x = Greedy().solve(problem, budget=Budget(seconds=9), rng=np.random.default_rng(0)).assignment
    for k, drop in ((3, None), (4, None), (4, 0), (9, 1), (9, 2)):
        if drop is not None:
            x = x.copy()
            x[np.flatnonzero(x)[0]] = 0.0
        coefficients, constant = distance_row(problem, x, problem.binary)
        ball = with_row(problem, coefficients, -np.inf, k - constant)
        reference = linprog(ball.c, A_ub=ball.A, b_ub=ball.row_hi, bounds=np.stack([ball.lb, ball.ub], axis=1))
        relaxation = lp.relax(state_of(problem, x), k)
        assert relaxation.objective == pytest.approx(reference.fun + problem.offset, rel=1e-9)
        assert np.abs(relaxation.x - x).sum() <= k + 1e-6


def test_distance_row_counts_flips_exactly():
    problem = unconstrained(np.ones(6))
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.integers(0, 2, 6).astype(float), rng.integers(0, 2, 6).astype(float)
        coefficients, constant = distance_row(problem, x, problem.binary)
        assert coefficients @ y + constant == np.abs(x - y).sum()


def test_bounds_variant_measures_integers_from_the_bound_they_stand_at():
    problem = ILP.build(np.ones(3), sp.csr_matrix((0, 3)), lb=[-1, 0, 0], ub=[4, 7, 9], integer=True)
    x = np.array([-1.0, 7.0, 5.0])  # at its lower bound, at its upper bound, in between
    coefficients, constant = distance_row(problem, x, measured(problem, "bounds"))
    np.testing.assert_array_equal(coefficients, [1, -1, 0])
    assert coefficients @ np.array([2.0, 3.0, 0.0]) + constant == 3 + 4


def test_no_binary_variables_names_the_bounds_variant():
    problem = ILP.build([1.0], sp.csr_matrix([[1.0]]), row_lo=2, lb=0, ub=9, integer=True)
    with pytest.raises(ConfigError, match="distance: bounds"):
        LBRelax().prepare(problem)
    LBRelax(lp=LocalBranchingLP(distance="bounds")).prepare(problem)


def test_an_unchanged_ball_is_never_solved_twice_and_reuse_reaches_20_percent(monkeypatch):
    problem = CombinatorialAuction(30, 60)(np.random.default_rng(0), "ca").to_min()
    solved = []
    solve = LocalBranchingLP._solve
    monkeypatch.setattr(LocalBranchingLP, "_solve", lambda self, s, k, *a: solved.append(k) or solve(self, s, k, *a))
    x = np.zeros(problem.n)
    for reuse, expected in ((False, [10, 11, 12, 13]), (True, [10, 12])):
        solved.clear()
        lp = LocalBranchingLP(reuse=reuse)
        lp.prepare(problem)
        for k in (10, 10, 11, 12, 13):
            lp.relax(state_of(problem, x), k)
        assert solved == expected
        moved = x.copy()
        moved[0] = 1.0
        lp.relax(state_of(problem, moved), 13)
        assert solved == [*expected, 13]


def test_without_crossover_the_solution_is_inside_the_optimal_face():
    problem = MaximumIndependentSet(300)(np.random.default_rng(0), "mis").to_min()
    state = state_of(problem, np.zeros(problem.n))
    values = {}
    for crossover in (True, False):
        lp = LocalBranchingLP(crossover=crossover)
        lp.prepare(problem)
        values[crossover] = lp.relax(state, 40)
    assert values[False].objective == pytest.approx(values[True].objective, rel=1e-6)
    halves = {key: np.isclose(value.x * 2 % 1, 0, atol=1e-6).mean() for key, value in values.items()}
    assert halves[False] < 0.5 < halves[True]  # vertices of these LPs are nearly half-integral


@pytest.mark.parametrize("setting", [{"algorithm": "magic"}, {"seconds": 0}])
def test_lp_settings_out_of_range_are_refused(setting):
    with pytest.raises(ConfigError, match="lp"):
        LocalBranchingLP(**setting)
