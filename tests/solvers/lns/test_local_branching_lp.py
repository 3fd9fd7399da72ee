"""The LP of local branching against closed forms and scipy."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.generators.mis import MaximumIndependentSet
from data.ilp.generators.mvc import MinimumVertexCover
from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.base import Budget
from solvers.lns.destroy.lb_relax import LBRelax
from solvers.lns.distance import distance_row, measured, with_row
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.start import Greedy
from solvers.lns.state import SearchState
from solvers.milp.highs import Highs

FORMS = [
    {"rows": rows, "distance_row": distance_row}
    for rows in ("all", "generated")
    for distance_row in ("explicit", "multiplier")
]


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


def feasible_integer_program(rng):
    """Rows of every kind through a random integer point, variables binary, general and continuous."""
    n, m = int(rng.integers(2, 9)), int(rng.integers(0, 12))
    A = rng.integers(-3, 4, (m, n)).astype(float)
    ub = rng.choice([1.0, 1.0, 4.0], n)
    x = np.floor(rng.random(n) * (ub + 1))
    low, high = rng.integers(0, 4, m), rng.integers(0, 4, m)
    kind = rng.integers(0, 3, m)
    row_lo = np.where(kind == 0, -np.inf, A @ x - low)
    row_hi = np.where(kind == 1, np.inf, A @ x + high)
    problem = ILP.build(rng.integers(-5, 6, n), A, row_lo, row_hi, 0, ub, rng.random(n) < 0.8, offset=1.5)
    return problem, x


@settings(max_examples=80)
@given(st.integers(0, 10**6), st.sampled_from(FORMS), st.sampled_from(["binary", "bounds"]))
def test_generated_rows_and_the_multiplier_find_the_optimum_of_the_lp_with_the_row(seed, form, distance):
    rng = np.random.default_rng(seed)
    problem, x = feasible_integer_program(rng)
    if not (problem.binary if distance == "binary" else problem.integer).any():
        return
    lp = LocalBranchingLP(distance=distance, **form)
    lp.prepare(problem)
    for k in (1, 2, 2, 4):
        coefficients, constant = distance_row(problem, x, measured(problem, distance))
        reference = optimum(with_row(problem, coefficients, -np.inf, k - constant))
        relaxation = lp.relax(state_of(problem, x), k)
        assert relaxation.objective == pytest.approx(reference, abs=1e-6)
        assert coefficients @ relaxation.x + constant <= k + 1e-6
        assert (relaxation.x >= problem.lb - 1e-6).all() and (relaxation.x <= problem.ub + 1e-6).all()
        activity = problem.A @ relaxation.x
        assert (activity >= problem.row_lo - 1e-5).all() and (activity <= problem.row_hi + 1e-5).all()
        if rng.random() < 0.5:
            nearest = Highs().solve(problem, budget=Budget(seconds=9), rng=np.random.default_rng(0))
            x = nearest.assignment if nearest.assignment is not None else x


def optimum(problem):
    """The LP relaxation's, by scipy."""
    sides = [
        (sign * problem.A[finite], sign * side[finite])
        for sign, side in ((1, problem.row_hi), (-1, problem.row_lo))
        for finite in [np.flatnonzero(np.isfinite(side))]
    ]
    result = linprog(
        problem.c, A_ub=sp.vstack([part for part, _ in sides]), b_ub=np.concatenate([side for _, side in sides]),
        bounds=np.stack([problem.lb, problem.ub], axis=1),
    )  # fmt: skip
    assert result.status == 0
    return result.fun + problem.offset


@pytest.mark.parametrize("form", FORMS)
def test_forms_agree_while_a_vertex_cover_search_moves(form):
    problem = MinimumVertexCover(120, 15)(np.random.default_rng(0), "mvc")
    plain, other = LocalBranchingLP(rows="all"), LocalBranchingLP(**form)
    plain.prepare(problem)
    other.prepare(problem)
    x = np.ones(problem.n)
    for k in (12, 13, 13, 60):
        state = state_of(problem, x)
        expected, found = plain.relax(state, k), other.relax(state, k)
        assert found.objective == pytest.approx(expected.objective, rel=1e-9)
        assert np.abs(found.x - x).sum() <= k + 1e-6
        cheapest = np.argsort(problem.c)  # drop what may go
        for j in cheapest[::-1][: k // 2]:
            x = np.where(np.arange(problem.n) == j, 0.0, x)
            if not problem.is_feasible(x):
                x = np.where(np.arange(problem.n) == j, 1.0, x)


def test_generated_rows_are_few_and_auto_generates_where_rows_are_many():
    problem = MinimumVertexCover(120, 15)(np.random.default_rng(0), "mvc")
    x = Greedy().solve(problem, budget=Budget(seconds=9), rng=np.random.default_rng(0)).assignment
    sizes = {}
    for rows in ("all", "generated", "auto"):
        lp = LocalBranchingLP(rows=rows)
        lp.prepare(problem)
        lp.relax(state_of(problem, x), 12)
        sizes[rows] = len(lp._ball.rows)
    assert sizes["all"] == problem.m > 10 * problem.n
    assert sizes["auto"] == sizes["generated"] < problem.m / 3
    auction = CombinatorialAuction(30, 60)(np.random.default_rng(0), "ca").to_min()
    lp = LocalBranchingLP()
    lp.prepare(auction)
    lp.relax(state_of(auction, np.zeros(auction.n)), 5)
    assert len(lp._ball.rows) == auction.m


def test_the_multiplier_stops_at_distance_k_between_two_vertices():
    # two items that only go together (x = y): the LP jumps from distance 0 to 2, k = 1 lies half way
    problem = ILP.build([-1.0, -2.0], [[1.0, -1.0]], row_lo=0, row_hi=0, lb=0, ub=1, integer=True)
    lp = LocalBranchingLP(distance_row="multiplier")
    lp.prepare(problem)
    np.testing.assert_allclose(lp.relax(state_of(problem, np.zeros(2)), 1).x, [0.5, 0.5], atol=1e-9)
    assert float(lp.memory()["price"]) == pytest.approx(1.5)  # 3 gained for a distance of 2


@pytest.mark.parametrize("rows", ["all", "generated"])
@pytest.mark.parametrize("form", ["explicit", "multiplier"])
def test_an_unbounded_relaxation_has_no_xbar_and_one_bounded_by_a_slack_row_has(rows, form):
    for row_hi, bounded in ((7.0, True), (np.inf, False)):
        problem = ILP.build(
            [-1.0, -1.0], [[0.0, 1.0]], row_lo=-9, row_hi=row_hi, lb=0, ub=[1, np.inf], integer=[True, False]
        )
        lp = LocalBranchingLP(rows=rows, distance_row=form)
        lp.prepare(problem)
        relaxation = lp.relax(state_of(problem, np.zeros(2)), 1)
        assert (relaxation is not None) == bounded
        if bounded:
            np.testing.assert_allclose(relaxation.x, [1, 7])


def test_the_multiplier_needs_bounds_on_what_it_counts():
    problem = ILP.build([1.0], sp.csr_matrix([[1.0]]), row_lo=2, lb=0, integer=True)
    with pytest.raises(ConfigError, match="finite bounds"):
        LocalBranchingLP(distance="bounds", distance_row="multiplier").prepare(problem)


def test_out_of_time_is_no_xbar_and_leaves_no_trace():
    problem = MinimumVertexCover(120, 15)(np.random.default_rng(0), "mvc")
    for form in FORMS:
        lp = LocalBranchingLP(**form)
        lp.prepare(problem)
        state = state_of(problem, np.ones(problem.n), remaining_seconds=0.0)
        assert lp.relax(state, 12) is None
        assert lp.memory() == {}


@pytest.mark.parametrize(
    "setting",
    [
        {"algorithm": "magic"},
        {"seconds": 0},
        {"rows": "some"},
        {"distance_row": "none"},
        {"distance_row": "multiplier", "crossover": False},
        {"distance_row": "multiplier", "algorithm": "pdlp"},
    ],
)
def test_lp_settings_out_of_range_are_refused(setting):
    with pytest.raises(ConfigError, match="lp"):
        LocalBranchingLP(**setting)
