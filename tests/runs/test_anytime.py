"""Anytime metrics against brute force: fine Riemann sums and loops over the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.anytime import (
    Trace,
    attains_best,
    best_performing_rate,
    gap_curve,
    gap_matrix,
    primal_gap,
    primal_integral,
    survival_curve,
)

finite = st.floats(-1e12, 1e12)


def trace_of(rows: list[tuple[float, int, float]], maximize: bool = False) -> Trace:
    trace = Trace(maximize=maximize)
    for row in rows:
        trace.record(*row)
    return trace


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Times on a grid of 1/8, so that a Riemann sum over that grid is exact."""
    steps = draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3), finite), max_size=8))
    trace, eighths, evaluations = Trace(), 0, 0
    for advance, more, value in steps:
        eighths, evaluations = eighths + advance, evaluations + more
        trace.record(eighths / 8, evaluations, value)
    return trace


@pytest.mark.parametrize(
    ("value", "best", "gap"),
    [
        (math.nan, 10.0, 1.0),
        (math.inf, 10.0, 1.0),
        (10.0, math.nan, 1.0),
        (10.0, 10.0, 0.0),
        (0.0, 0.0, 0.0),
        (-1.0, 1.0, 1.0),
        (-1e-200, 1e-200, 1.0),  # the product underflows, the signs still differ
        (5.0, 0.0, 1.0),
        (12.0, 10.0, 2 / 12),
        (-8.0, -10.0, 0.2),
        (2e-9, 1e-9, 0.1),  # the 1e-8 in the denominator
    ],
)
def test_primal_gap_follows_the_definition_in_every_case(value: float, best: float, gap: float) -> None:
    assert primal_gap(value, best) == pytest.approx(gap, abs=1e-15)


@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=20))
def test_primal_gap_lies_in_the_unit_interval_and_is_symmetric(pairs: list[tuple[float, float]]) -> None:
    v, best = np.array(pairs).T
    gap = primal_gap(v, best)
    assert np.all((gap >= 0) & (gap <= 1))
    np.testing.assert_array_equal(gap, primal_gap(best, v))


def test_value_at_is_right_continuous_and_nan_before_the_first_solution() -> None:
    trace = trace_of([(1.0, 0, 9.0), (2.0, 3, 7.0), (2.0, 3, 6.0)])
    np.testing.assert_array_equal(trace.value_at([0.5, 1.0, 1.9, 2.0, 50.0]), [np.nan, 9.0, 9.0, 6.0, 6.0])
    np.testing.assert_array_equal(trace.value_at([0, 2, 3], "evaluations"), [9.0, 9.0, 6.0])
    assert np.isnan(Trace().value_at(1.0))


@given(traces(), finite, st.integers(1, 200))
def test_primal_integral_equals_a_riemann_sum_on_the_grid_of_its_steps(trace: Trace, best: float, eighths: int) -> None:
    left_ends = np.arange(eighths) / 8
    expected = primal_gap(trace.value_at(left_ends), best).sum() / 8
    assert primal_integral(trace, eighths / 8, best) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(traces(), finite, st.integers(1, 30))
def test_primal_integral_over_evaluations_sums_the_gap_before_each_evaluation(
    trace: Trace, best: float, n: int
) -> None:
    expected = sum(float(primal_gap(trace.value_at(k, "evaluations"), best)) for k in range(n))
    assert primal_integral(trace, n, best, "evaluations") == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(traces(), finite, st.integers(1, 100), st.integers(0, 100))
def test_primal_integral_adds_up_over_adjacent_spans_and_never_exceeds_the_horizon(
    trace: Trace, best: float, first: int, second: int
) -> None:
    short, long = primal_integral(trace, first, best), primal_integral(trace, first + second, best)
    assert 0 <= short <= long <= first + second
    middle = [primal_gap(trace.value_at(first + k / 8), best) / 8 for k in range(8 * second)]
    assert long - short == pytest.approx(float(np.sum(middle)), abs=1e-9)


def test_a_search_without_a_solution_costs_the_whole_horizon() -> None:
    assert primal_integral(Trace(), 60.0, 5.0) == 60.0


def test_curves_average_the_gap_and_count_the_survivors() -> None:
    found = [trace_of([(1.0, 1, 20.0), (3.0, 2, 10.0)]), trace_of([(2.0, 1, 100.0)])]
    grid = [0.0, 1.0, 2.0, 3.0]
    np.testing.assert_allclose(gap_matrix(found, [10.0, 100.0], grid), [[1, 0.5, 0.5, 0], [1, 1, 0, 0]])
    np.testing.assert_allclose(gap_curve(found, [10.0, 100.0], grid), [1, 0.75, 0.25, 0])
    np.testing.assert_allclose(survival_curve(found, [10.0, 100.0], grid, threshold=0.01), [0, 0, 0.5, 1])
    assert gap_matrix([], [], grid).shape == (0, 4)


def test_ties_within_one_billionth_count_for_every_method_and_no_solution_never_wins() -> None:
    values = np.array([[100.0, 5.0, np.nan, -3.0], [100.0 + 9e-8, 5.1, np.nan, -3.0], [101.0, np.nan, np.nan, -2.0]])
    expected = [[True, True, False, True], [True, False, False, True], [False, False, False, False]]
    np.testing.assert_array_equal(attains_best(values), expected)
    np.testing.assert_allclose(best_performing_rate(values), [0.75, 0.5, 0.0])


@given(st.lists(st.lists(st.integers(-5, 5), min_size=4, max_size=4), min_size=1, max_size=5), st.booleans())
def test_best_performing_rate_equals_a_loop_over_the_definition(table: list[list[int]], maximize: bool) -> None:
    values = np.array(table, dtype=float)
    best = values.max(axis=0) if maximize else values.min(axis=0)
    expected = [sum(row[i] == best[i] for i in range(4)) / 4 for row in values]
    np.testing.assert_allclose(best_performing_rate(values, maximize), expected)


def test_a_trace_survives_the_way_through_arrays() -> None:
    trace = trace_of([(0.5, 1, 3.0), (0.2, 0, 2.0)], maximize=True)
    assert trace.seconds == [0.5, 0.5]
    assert trace.evaluations == [1, 1]
    again = Trace.from_arrays(trace.to_arrays(), maximize=True)
    assert (again.seconds, again.evaluations, again.objective, again.maximize) == ([0.5, 0.5], [1, 1], [3.0, 2.0], True)
