"""Reductions agree with the full problem on every assignment of the free variables."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.ilp.problem import ILP
from data.ilp.reduce import Reducer, reduce
from runs.errors import InvalidProblem


@st.composite
def boxes(draw):
    """A small ILP with finite bounds, a mask of fixed variables and values for them."""
    n, m = draw(st.integers(1, 5)), draw(st.integers(0, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lb = rng.integers(-2, 1, n)
    ub = lb + rng.integers(0, 3, n)
    sides = np.sort(rng.integers(-6, 7, (m, 2)), axis=1).astype(float)
    sides[rng.random(m) < 0.4, 0] = -np.inf
    sides[rng.random(m) < 0.4, 1] = np.inf
    A = rng.integers(-3, 4, (m, n)) * (rng.random((m, n)) < 0.7)
    problem = ILP.build(
        rng.integers(-5, 6, n), A, sides[:, 0], sides[:, 1], lb, ub, rng.random(n) < 0.8,
        maximize=bool(rng.integers(2)), offset=float(rng.integers(-3, 4)), var_names=[f"x{j}" for j in range(n)],
    )  # fmt: skip
    return problem.validate(), rng.random(n) < draw(st.floats(0, 1)), rng.integers(lb, ub + 1).astype(float)


@given(boxes())
@settings(max_examples=300)
def test_reduced_problem_agrees_with_the_original_on_every_assignment(case):
    problem, fixed, values = case
    reduction = Reducer(problem).reduce(fixed, values)
    reduction.problem.validate()
    assert reduction.problem.n == (~fixed).sum()
    ranges = [np.arange(problem.lb[j], problem.ub[j] + 1) for j in reduction.free]
    for choice in itertools.product(*ranges):
        x_free = np.array(choice, float)
        x = reduction.lift(x_free)
        assert (x[fixed] == values[fixed]).all()
        assert (reduction.restrict(x) == x_free).all()
        assert reduction.problem.is_feasible(x_free) == problem.is_feasible(x)
        assert reduction.problem.objective(x_free) == problem.objective(x)


@given(boxes())
@settings(max_examples=100)
def test_every_row_left_can_be_violated_within_the_bounds(case):
    problem, fixed, values = case
    small = Reducer(problem).reduce(fixed, values).problem
    for i in range(small.m):
        row = small.A[[i]].toarray()[0]
        low = np.minimum(row * small.lb, row * small.ub).sum()
        high = np.maximum(row * small.lb, row * small.ub).sum()
        assert low < small.row_lo[i] or high > small.row_hi[i]


def edges() -> ILP:
    """Vertex cover of the path 0 - 1 - 2."""
    return ILP.build([1, 1, 1], [[1, 1, 0], [0, 1, 1]], row_lo=1, ub=1, integer=True, row_names=("a", "b"))


def test_a_row_broken_by_fixed_values_alone_makes_the_reduced_problem_infeasible():
    reduction = reduce(edges(), np.array([True, True, False]), np.zeros(3))
    assert reduction.rows.tolist() == [0, 1]
    assert not any(reduction.problem.is_feasible(np.array([v])) for v in (0.0, 1.0))


def test_satisfied_rows_are_dropped():
    reduction = reduce(edges(), np.array([False, True, False]), np.ones(3))
    assert reduction.problem.m == 0 and reduction.problem.offset == 1.0


def test_everything_fixed_leaves_an_empty_problem_with_the_objective():
    reduction = reduce(edges(), np.ones(3, bool), np.array([0, 1, 0.0]))
    assert reduction.problem.n == reduction.problem.m == 0
    assert reduction.problem.objective(np.empty(0)) == 1.0 and reduction.problem.is_feasible(np.empty(0))


def test_unbounded_free_variables_keep_their_rows():
    problem = ILP.build([1, 1], [[1, -1]], row_hi=3, lb=-np.inf)
    reduction = reduce(problem, np.array([True, False]), np.array([5.0, 0]))
    assert reduction.problem.row_hi.tolist() == [-2.0] and reduction.problem.A.toarray().tolist() == [[-1.0]]


def test_solver_noise_in_fixed_integers_is_rounded_away():
    reduction = reduce(edges(), np.array([True, True, False]), np.array([1e-7, 1 - 1e-7, 0]))
    assert reduction.lift(np.array([0.0])).tolist() == [0, 1, 0]
    assert reduction.problem.m == 0


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0, np.nan, np.inf])
def test_impossible_fixed_values_are_refused_by_name(value):
    with pytest.raises(InvalidProblem, match="variable 1 is to be fixed"):
        reduce(edges(), np.array([False, True, False]), np.array([np.nan, value, 0]))
