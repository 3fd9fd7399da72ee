"""What a prior saves is counted in queries, those of its training against those of every instance."""

from __future__ import annotations

import math

import pytest

from runs.anytime import Trace
from tasks.surrogate.saving import break_even, queries_to, saving


def trace(*rows: tuple[int, float], maximize: bool = True) -> Trace:
    curve = Trace(maximize=maximize)
    for evaluations, value in rows:
        curve.record(0.0, evaluations, value)
    return curve


def test_a_value_within_one_percent_is_reached() -> None:
    curve = trace((1, 0.4), (5, 0.496), (9, 0.5))
    assert queries_to(curve, 0.5, 60) == 5
    assert queries_to(curve, 0.6, 60) == 60
    assert queries_to(trace((2, 10.0), (7, 5.0), maximize=False), 5.0, 60) == 7


def test_both_search_for_what_the_one_without_a_prior_reaches() -> None:
    own, plain = trace((1, 0.48), (2, 0.5), (60, 0.5)), trace((1, 0.3), (8, 0.5), (60, 0.5))
    assert saving(own, plain, 60) == {"queries_to_match": 2, "queries_without_prior": 8, "queries_saved": 6}
    assert saving(trace((1, 0.4), (60, 0.4)), plain, 60)["queries_saved"] == 8 - 60
    assert saving(trace(), plain, 60) == {}


def test_queries_until_all_is_met_count_in_place_of_one_percent_where_they_are_known() -> None:
    own, plain = trace((1, 0.4), (3, 0.5)), trace((1, 0.3), (8, 0.9))
    assert saving(own, plain, 60, (3.0, 8.0))["queries_saved"] == 5
    assert saving(own, plain, 60, (math.nan, 8.0))["queries_saved"] == 8 - 60
    assert saving(own, plain, 60, (math.nan, math.nan))["queries_saved"] == 0


def test_the_break_even_is_the_number_of_instances_that_pays_the_training() -> None:
    assert "paid from 902 instances on" in break_even([3.0, 4.99], 3600)
    assert "never pay" in break_even([1.0, -1.0], 3600)


@pytest.mark.parametrize("most", [None, 10])
def test_without_a_budget_the_longer_search_counts(most: int | None) -> None:
    own, plain = trace((1, 0.1), (4, 0.1)), trace((1, 0.2), (10, 0.5))
    assert saving(own, plain, most)["queries_to_match"] == 10
