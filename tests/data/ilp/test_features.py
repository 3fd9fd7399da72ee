"""Features against the published worked example, a loop over variables, and what must not change them."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.feature_loops import loop_features
from data.ilp.features.dynamic import dynamic_features
from data.ilp.features.feature_set import FeatureSet
from data.ilp.features.static import static_features
from data.ilp.problem import ILP
from data.ilp.root_lp import RootLP
from data.ilp.root_rows import RootRows
from runs.errors import ConfigError, InvalidProblem
from solvers.milp.root_lp import solve_root_lp

EXAMPLE = Path(os.environ.get("REPRISE_DATA", "datasets")) / "ilp_features" / "example.json"
SCALED = [23, 24, 25, *range(89, 95)]
"""Columns in which the example's solver scaled the objective."""


@pytest.fixture(scope="module")
def example():
    if not EXAMPLE.exists():
        pytest.skip(f"{EXAMPLE} is not there; set REPRISE_DATA to the folder of data files")
    return json.loads(EXAMPLE.read_text())


@pytest.fixture(scope="module")
def worked(example):
    facts = example["problem"]
    problem = ILP.build(facts["objective"], facts["matrix"], row_lo=facts["lhs"], lb=-np.inf, integer=True)
    return static_features(problem, solve_root_lp(problem))


def test_variables_of_the_worked_example(example, worked):
    expected = np.array(example["variable_features_95"])
    expected[:, SCALED] /= example["problem"]["objective_scale_of_columns_23_to_25_and_89_to_94"]
    assert worked.variables.shape == (2, 95)
    np.testing.assert_allclose(worked.variables, expected, rtol=0, atol=1e-4)


def test_rows_and_edges_of_the_worked_example(example, worked):
    np.testing.assert_allclose(worked.rows, example["row_features_10"], rtol=0, atol=1e-4)
    np.testing.assert_array_equal(worked.graph.edge_index.T, example["edges_row_variable"])
    raw = np.array(example["edge_features_raw_and_by_b"])
    norm = np.linalg.norm(example["problem"]["matrix"], axis=1)[worked.graph.edge_index[0]]
    np.testing.assert_allclose(worked.edges * norm[:, None], raw, rtol=0, atol=1e-4)


@st.composite
def problems(draw):
    """ILPs with a feasible, bounded relaxation: equality, two-sided and free rows, empty rows and columns, fixed, free and
    integer columns, zero costs."""
    n, m = draw(st.integers(1, 7)), draw(st.integers(0, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    A = rng.integers(-4, 5, (m, n)) * (rng.random((m, n)) < draw(st.sampled_from([0.3, 0.8])))
    A = A * rng.choice([1.0, 0.5], (m, 1))
    inside = rng.integers(-2, 3, n) + rng.random(n) * (rng.random(n) < 0.5)
    lo, hi = (A @ inside + sign * rng.integers(0, 3, m) for sign in (-1, 1))
    kind = rng.integers(0, 5, m)
    lo[np.isin(kind, (1, 3))], hi[np.isin(kind, (2, 3))] = -np.inf, np.inf
    lo[kind == 4] = hi[kind == 4] = (A @ inside)[kind == 4]
    lb, ub = np.floor(inside) - rng.integers(0, 2, n), np.ceil(inside) + rng.integers(0, 2, n)
    c = rng.integers(-5, 6, n) * draw(st.integers(0, 1))
    free = (c == 0) & (rng.random(n) < 0.5)
    lb, ub = np.where(free, -np.inf, lb), np.where(free, np.inf, ub)
    return ILP.build(c, A, lo, hi, lb, ub, rng.random(n) < 0.7)


@settings(max_examples=200)
@given(problems())
def test_features_equal_a_loop_over_variables_rows_and_edges(problem):
    lp = solve_root_lp(problem)
    features = static_features(problem, lp)
    variables, rows, edges = loop_features(problem, lp)
    assert features.variables.shape == (problem.n, 95)
    assert features.rows.shape == (len(features.graph.row), 10)
    assert features.edges.shape == (features.graph.edge_index.shape[1], 2)
    for ours, loop in ((features.variables, variables), (features.rows, rows), (features.edges, edges)):
        assert ours.dtype == np.float32 and len(ours) == len(loop)
        if len(loop):
            np.testing.assert_allclose(ours, loop, rtol=1e-5, atol=1e-5)


@settings(max_examples=100)
@given(problems(), st.integers(0, 2**32))
def test_features_of_a_permuted_problem_are_the_permuted_features(problem, seed):
    rng = np.random.default_rng(seed)
    p, q = rng.permutation(problem.n), rng.permutation(problem.m)
    lp = solve_root_lp(problem)
    moved = ILP.build(
        problem.c[p], problem.A[q][:, p], problem.row_lo[q], problem.row_hi[q], problem.lb[p], problem.ub[p],
        problem.integer[p],
    )  # fmt: skip
    moved_lp = RootLP(lp.x[p], lp.duals[q], lp.reduced_costs[p], lp.column_status[p], lp.row_status[q], lp.objective)
    before, after = static_features(problem, lp), static_features(moved, moved_lp)
    np.testing.assert_allclose(after.variables, before.variables[p], rtol=1e-5, atol=1e-6)
    before_nodes, after_nodes = (
        list(zip(graph.row.tolist(), graph.sign.tolist(), strict=True)) for graph in (before.graph, after.graph)
    )
    nodes = [before_nodes.index((int(q[row]), sign)) for row, sign in after_nodes]
    np.testing.assert_allclose(after.rows, before.rows[nodes], rtol=1e-5, atol=1e-6)
    edge = {(int(row), int(variable)): index for index, (row, variable) in enumerate(before.graph.edge_index.T)}
    edges = [edge[nodes[row], int(p[variable])] for row, variable in after.graph.edge_index.T]
    np.testing.assert_allclose(after.edges, before.edges[edges], rtol=1e-5, atol=1e-6)


@settings(max_examples=50)
@given(problems())
def test_one_hot_columns_mark_one_type_and_one_place_in_the_basis(problem):
    variables = static_features(problem, solve_root_lp(problem)).variables
    assert (variables[:, 7:11].sum(axis=1) == 1).all()
    assert (variables[:, 19:23].sum(axis=1) == 1).all()


def knapsack(**changes):
    problem = ILP.build([-3, -2], [[2, 1]], row_hi=2, ub=1, integer=True, var_names=["x", "y"], name="bag")
    return replace(problem, **changes)


def test_a_value_beyond_32_bits_is_refused_with_column_and_variable():
    problem = knapsack(c=np.array([-3.0, -1e200]))
    lp = replace(solve_root_lp(knapsack()), objective=0.0)
    with pytest.raises(
        InvalidProblem, match=r"bag: feature column 23 \(cost\) of variable 'y' \(column 1\) is -1e\+200"
    ):
        static_features(problem, lp)


def test_a_value_that_is_no_number_is_refused_with_column_and_variable():
    lp = replace(solve_root_lp(knapsack()), reduced_costs=np.array([np.nan, 0]))
    with pytest.raises(InvalidProblem, match=r"column 13 \(reduced_cost_by_norm\) of variable 'x'"):
        static_features(knapsack(), lp)


def test_a_maximisation_and_the_lp_of_another_problem_are_refused():
    lp = solve_root_lp(knapsack())
    with pytest.raises(InvalidProblem, match="to_min"):
        static_features(knapsack(maximize=True), lp)
    other = ILP.build([1.0, 1, 1], [[1, 1, 1]], row_lo=1)
    with pytest.raises(InvalidProblem, match="2 variables and 1 rows, the problem 3 and 1"):
        static_features(other, lp)


def test_the_origin_of_rows_is_a_column_of_theirs():
    problem = ILP.build([1.0], [[1], [1]], row_lo=[0, -1], row_hi=[2, np.inf])
    rows = RootRows(problem.A, problem.row_lo, problem.row_hi, np.array([2, 3]))
    features = static_features(problem, solve_root_lp(problem), rows)
    assert features.rows[:, 3].tolist() == [2, 2, 3]


def test_the_window_holds_three_incumbents_newest_first_and_zeros_where_there_is_none():
    first, second, third, fourth = (np.array([float(k), 1.0]) for k in range(4))
    table = dynamic_features((fourth, third, second, first))
    assert table.tolist() == [[1, 3, 0, 1, 2, 0, 1, 1, 0], [1, 1, 0, 1, 1, 0, 1, 1, 0]]
    assert dynamic_features((first,))[0].tolist() == [1, 0, 0] + [0] * 6
    assert dynamic_features((second, first), size=1)[0].tolist() == [1, 1, 0] + [0] * 6
    assert not dynamic_features((second,), size=0).any()


def test_relaxations_stand_beside_their_incumbents():
    table = dynamic_features((np.zeros(1), np.ones(1)), (np.array([0.25]), None))
    assert table[0].tolist() == [1, 0, 0.25, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ((), "no incumbent"),
        ((np.zeros(2), np.zeros(3)), r"column 4 has shape \(3,\); expected \(2,\)"),
        ((np.array([0, np.inf]),), "column 1 of variable 1 is inf"),
    ],
)
def test_a_bad_window_is_refused(window, message):
    with pytest.raises(InvalidProblem, match=message):
        dynamic_features(window)


def test_feature_sets_hide_what_they_do_not_use():
    columns = {name: np.flatnonzero(~FeatureSet.named(name).columns).tolist() for name in FeatureSet}
    assert columns["gasse"] == [*range(23, 95), 97, 100, 103]
    assert columns["gasse_khalil"] == [97, 100, 103]
    assert columns["gasse_khalil_lb_relax"] == []
    with pytest.raises(ConfigError, match="feature_set is 'gase'; did you mean 'gasse'"):
        FeatureSet.named("gase")
