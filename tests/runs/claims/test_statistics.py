"""Intervals and tests against closed forms, scipy and the coverage they promise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from runs.claims.statistics import (
    Interval,
    expanded_levels,
    holm,
    mean_interval,
    paired_test,
    rank_sum_p,
    smallest_p,
    standardised_effect,
    wilson_interval,
)
from runs.errors import ConfigError


def test_one_seed_gives_a_mean_but_no_interval() -> None:
    found = mean_interval([1.0, 3.0], [7, 7], ["a", "b"])
    assert (found.mean, found.low, found.high, found.n) == (2.0, None, None, 2)


def test_values_that_are_not_finite_are_left_out() -> None:
    found = mean_interval([1.0, np.nan, np.inf, 3.0], [0, 0, 1, 1], ["a", "b", "a", "b"])
    assert (found.mean, found.n) == (2.0, 2)
    nothing = mean_interval([np.nan], [0], ["a"])
    assert np.isnan(nothing.mean)
    assert nothing.n == 0


def test_the_interval_is_the_same_every_time_and_contains_the_mean() -> None:
    rng = np.random.default_rng(0)
    data = (rng.normal(size=30), np.repeat(range(3), 10), np.tile(range(10), 3))
    first, second = mean_interval(*data), mean_interval(*data)
    assert first == second
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.mean < first.high


def test_the_interval_over_seeds_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        seeds, instances = rng.normal(size=10), rng.normal(size=12)
        values = seeds[:, None] + instances + rng.normal(size=(10, 12))
        found = mean_interval(values.ravel(), np.repeat(range(10), 12), np.tile(range(12), 10), resamples=400)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.0 <= found.high
    assert 0.90 <= hits / 300 <= 0.995


def test_two_seeds_on_two_instances_give_the_range_of_all_their_resamples() -> None:
    table = {(0, "a"): 3.0, (0, "b"): 28.0, (1, "a"): 0.0, (1, "b"): 1.0}
    found = mean_interval(list(table.values()), [seed for seed, _ in table], [name for _, name in table])
    assert (found.mean, found.low, found.high) == (8.0, pytest.approx(0.0, abs=1e-5), pytest.approx(28.0))


def test_instances_widen_the_interval_because_they_are_resampled_too() -> None:
    rng = np.random.default_rng(2)
    values = np.tile(rng.normal(size=8), 3)  # seeds agree, instances differ
    found = mean_interval(values, np.repeat(range(3), 8), np.tile(range(8), 3))
    alone = mean_interval(values.reshape(3, 8).mean(axis=1), range(3), ["all"] * 3)
    assert alone.low == pytest.approx(alone.high)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low > 0.3


def test_expanded_levels_tend_to_the_plain_percentiles() -> None:
    assert expanded_levels(100_000, 0.05) == pytest.approx((0.025, 0.975), abs=1e-4)
    assert expanded_levels(5, 0.05)[0] < 0.0025


def test_wilcoxon_agrees_with_scipy_and_points_the_right_way() -> None:
    d = np.random.default_rng(3).normal(0.6, 1, size=20)
    found = paired_test(d, "wilcoxon")
    assert found.p_value == pytest.approx(stats.wilcoxon(d, method="exact").pvalue)
    assert found.direction == 1
    assert paired_test(-d, "wilcoxon").direction == -1


def test_wilcoxon_with_ties_equals_enumerating_all_signs() -> None:
    d = np.array([1.0, 1.0, 2.0, 2.0, -1.0, 3.0, 3.0])
    ranks = stats.rankdata(np.abs(d))
    observed = abs((ranks * np.sign(d)).sum())
    signs = np.array(list(itertools.product([-1, 1], repeat=len(d))))
    expected = np.mean(np.abs(signs @ ranks) >= observed - 1e-9)
    assert paired_test(d, "wilcoxon").p_value == pytest.approx(expected)


def test_the_t_test_agrees_with_scipy_in_p_and_interval() -> None:
    d = np.array([1.0, 2.5, 1.8])
    reference = stats.ttest_1samp(d, 0.5)
    found = paired_test(d, "t", threshold=0.5)
    low, high = stats.t.interval(0.95, 2, d.mean(), stats.sem(d))
    assert found.p_value == pytest.approx(reference.pvalue)
    assert (found.effect.low, found.effect.high) == (pytest.approx(low), pytest.approx(high))


def test_the_bootstrap_p_is_the_level_at_which_the_interval_ends_at_the_threshold() -> None:
    d = np.random.default_rng(4).normal(0.5, 1, size=25)
    found = paired_test(d, "bootstrap", threshold=0.1)
    edge = paired_test(d, "bootstrap", level=found.p_value)
    assert edge.effect.low == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("kind", ["wilcoxon", "bootstrap", "t"])
def test_a_test_of_level_five_percent_rejects_a_true_null_about_that_often(kind: str) -> None:
    rng = np.random.default_rng(5)
    rejected = sum(paired_test(rng.normal(size=15), kind).p_value < 0.05 for _ in range(300))  # type: ignore[arg-type]
    assert rejected / 300 < 0.09


def test_a_relative_effect_is_the_ratio_of_the_means() -> None:
    found = paired_test([1.0, 3.0], "t", reference=[10.0, 30.0], threshold=0.05)
    assert found.effect.mean == pytest.approx(0.1)
    assert found.direction == 1


@pytest.mark.parametrize("kind", ["wilcoxon", "bootstrap", "t"])
def test_no_data_one_pair_and_no_difference_decide_nothing(kind: str) -> None:
    for d in ([], [3.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]):
        found = paired_test(d, kind)  # type: ignore[arg-type]
        assert found.p_value == pytest.approx(1.0)
        assert found.direction == 0


def test_seeds_that_are_copies_of_each_other_are_no_evidence_for_a_t_test() -> None:
    assert paired_test([2.0, 2.0, 2.0], "t").p_value == 1.0


def test_the_smallest_p_is_a_lower_bound_and_is_reached_by_wilcoxon() -> None:
    for n in range(2, 9):
        assert paired_test(np.arange(1.0, n + 1), "wilcoxon").p_value == pytest.approx(smallest_p("wilcoxon", n))
        assert paired_test(np.full(n, 1.0), "bootstrap").p_value >= smallest_p("bootstrap", n) - 1e-12
    assert smallest_p("bootstrap", 3) > 0.05 > smallest_p("bootstrap", 6)


def test_an_unknown_kind_of_test_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="coin"):
        paired_test([1.0, 2.0, 3.0], "coin")  # type: ignore[arg-type]


def test_holm_reproduces_a_worked_example() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_keeps_the_order_and_stays_between_the_raw_p_and_bonferroni(p: list[float]) -> None:
    adjusted = holm(p)
    raw = np.array(p)
    assert np.all(adjusted >= raw)
    assert np.all(adjusted <= np.minimum(1, raw * len(p)) + 1e-12)
    assert np.all(np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0)


def test_the_standardised_effect_is_mean_over_deviation() -> None:
    assert standardised_effect([1.0, 3.0]) == pytest.approx(2 / np.sqrt(2))
    assert standardised_effect([2.0, 2.0]) == np.inf
    assert standardised_effect([0.0, 0.0]) == 0.0
    assert np.isnan(standardised_effect([1.0]))


def test_the_rank_sum_of_two_samples_agrees_with_scipy() -> None:
    a, b = [1.0, 2.0, 3.0, 4.0], [3.5, 5.0, 6.0, 7.0]
    assert rank_sum_p(a, b) == pytest.approx(stats.mannwhitneyu(a, b).pvalue)
    assert rank_sum_p([], b) == 1.0


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (7, 20), (20, 20), (1, 2)])
def test_the_interval_of_a_rate_is_wilson_s(successes: int, n: int) -> None:
    theirs = stats.binomtest(successes, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson_interval(successes / n, n), (theirs.low, theirs.high), atol=1e-12)


def test_a_rate_counts_an_instance_once_whatever_its_seeds() -> None:
    one = mean_interval([1, 0, 1, 1], [0] * 4, list("abcd"), kind="rate")
    two = mean_interval([1, 0, 1, 1] * 2, [0] * 4 + [1] * 4, list("abcd") * 2, kind="rate")
    assert (one.mean, one.low, one.high) == (two.mean, two.low, two.high)
    assert (one.n, two.n) == (4, 8)


def test_a_mean_over_data_sets_counts_each_once() -> None:
    values, names = [1.0, 3.0, 10.0], ["a/1", "a/2", "b/1"]
    assert mean_interval(values, [0] * 3, names, kind="data_sets") == Interval(6.0, None, None, 3)
    found = mean_interval(values * 2, [0] * 3 + [1] * 3, names * 2, kind="data_sets")
    over = mean_interval([2.0, 10.0] * 2, [0, 0, 1, 1], ["a", "b"] * 2)
    assert (found.mean, found.low, found.high, found.n) == (6.0, over.low, over.high, 6)
    assert mean_interval([2.0, 8.0, 1.0], [0] * 3, names, kind="geometric_data_sets").mean == pytest.approx(2.0)


def test_a_geometric_mean_and_its_interval_are_those_of_the_logarithms() -> None:
    values, seeds, instances = [0.5, 2.0, 1.0, 4.0], [0, 0, 1, 1], list("abab")
    found = mean_interval(values, seeds, instances, kind="geometric")
    logs = mean_interval(np.log(values), seeds, instances)
    assert found.mean == pytest.approx(stats.gmean(values))
    assert (found.low, found.high) == pytest.approx((np.exp(logs.low), np.exp(logs.high)))
    assert mean_interval([2.0, 0.0, 8.0], [0] * 3, list("abc"), kind="geometric").mean == pytest.approx(4)


def test_the_sign_test_of_rates_is_mcnemar_s_exact_one() -> None:
    ours, theirs = np.array([1, 1, 1, 1, 1, 1, 0, 1, 0]), np.array([0, 0, 0, 0, 0, 1, 1, 1, 0])
    found = paired_test(ours - theirs, "sign")
    assert found.p_value == pytest.approx(stats.binomtest(5, 6).pvalue)  # pairs that agree say nothing
    assert found.direction == 1
    assert found.effect.mean == pytest.approx(4 / 9)
