"""Intervals and tests for results that vary over seeds and instances. Seeded: the same numbers give the same answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from runs.errors import ConfigError
from runs.record.in_common import dataset_of

RESAMPLES = 10_000
SEED = 20230212
ENUMERATED = 14
"""Up to this many pairs all sign patterns are enumerated, so that ties cost no exactness."""
TestKind = Literal["wilcoxon", "bootstrap", "t", "sign"]
TEST_KINDS: tuple[TestKind, ...] = ("wilcoxon", "bootstrap", "t", "sign")
MeanKind = Literal["arithmetic", "geometric", "rate", "data_sets", "geometric_data_sets"]


@dataclass(frozen=True)
class Interval:
    """A mean of ``n`` values; the bounds are None where the data give no interval."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Sample:
    """Mean and standard deviation (of the sample, n - 1) of ``n`` independent values; NaN where unknown."""

    mean: float
    std: float
    n: int


@dataclass(frozen=True)
class PairedTest:
    """Outcome of a paired test of ``n`` differences against a threshold.

    ``direction`` is +1 or -1 for the side of the threshold the test points to, 0 for neither.
    """

    effect: Interval
    p_value: float
    direction: int
    effect_size: float


def expanded_levels(n: int, level: float) -> tuple[float, float]:
    """Quantile levels of a percentile bootstrap interval, widened for small ``n`` as a t interval is.

    References
    ----------
    Hesterberg, What teachers should know about the bootstrap, The American Statistician 69 (2015), section 4.
    """
    low = float(stats.norm.cdf(-np.sqrt(n / (n - 1)) * stats.t.ppf(1 - level / 2, n - 1)))
    return low, 1 - low


def mean_interval(
    values: npt.ArrayLike,
    seeds: npt.ArrayLike,
    instances: npt.ArrayLike,
    level: float = 0.05,
    resamples: int = 2_000,
    kind: MeanKind = "arithmetic",
) -> Interval:
    """Mean over all values and its bootstrap interval over seeds, hierarchical where there are instances too.

    Seeds and instances are resampled independently (the pigeonhole bootstrap), because every seed sees the same instances.
    One seed says nothing about the spread over seeds: no interval. A ``rate``, the mean of values that are 0 or 1, has
    Wilson's interval over the instances instead, each counted once whatever its seeds. A ``geometric`` mean is that of the
    logarithms; values that are not positive are left out. The mean over ``data_sets`` is that of their means, each counted
    once however many instances it has, with an interval over data sets in place of instances.

    Parameters
    ----------
    values, seeds, instances
        (n,) one entry per result. Values that are not finite are left out.

    References
    ----------
    Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007).
    """
    frame = pd.DataFrame({"value": values, "seed": seeds, "instance": instances})
    frame["value"] = frame["value"].astype(float)
    if kind in ("geometric", "geometric_data_sets"):
        of_logarithms: MeanKind = "arithmetic" if kind == "geometric" else "data_sets"
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithms = np.log(frame["value"])
        found = mean_interval(logarithms, frame["seed"], frame["instance"], level, resamples, of_logarithms)
        low, high = (None if end is None else float(np.exp(end)) for end in (found.low, found.high))
        return Interval(float(np.exp(found.mean)), low, high, found.n)
    frame = frame[np.isfinite(frame["value"])]
    if frame.empty:
        return Interval(float("nan"), None, None, 0)
    if kind == "data_sets":
        means = frame.assign(instance=frame["instance"].map(dataset_of)).groupby(["instance", "seed"])["value"].mean()
        over = means.reset_index()
        return replace(mean_interval(over["value"], over["seed"], over["instance"], level, resamples), n=len(frame))
    mean, n = float(frame["value"].mean()), len(frame)
    if kind == "rate":
        return Interval(mean, *wilson_interval(mean, frame["instance"].nunique(), level), n)
    row, seed_names = pd.factorize(frame["seed"], sort=True)
    column, instance_names = pd.factorize(frame["instance"], sort=True)
    n_seeds, n_instances = len(seed_names), len(instance_names)
    if n_seeds < 2:
        return Interval(mean, None, None, n)
    cells = np.zeros((2, n_instances, n_seeds))
    np.add.at(cells, (0, column, row), frame["value"].to_numpy() - mean)
    np.add.at(cells, (1, column, row), 1.0)
    seed_weight, instance_weight = _draws(n_seeds, resamples, 0), _draws(n_instances, resamples, 1)
    sums, counts = ((seed_weight * (instance_weight @ cell)).sum(axis=1) for cell in cells)
    means = mean + sums[counts > 0].astype(float) / counts[counts > 0]
    means = np.clip(
        means, frame["value"].min(), frame["value"].max()
    )  # single precision must not leave the data's range
    low, high = np.quantile(means, expanded_levels(n_seeds, level))
    return Interval(mean, float(min(low, mean)), float(max(high, mean)), n)


def wilson_interval(rate: float, n: int, level: float = 0.05) -> tuple[float, float]:
    """Interval of a rate that was found in ``n`` independent trials; wide where none or all of few succeeded.

    References
    ----------
    Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    z2 = float(stats.norm.ppf(1 - level / 2)) ** 2
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def paired_test(
    differences: npt.ArrayLike,
    kind: TestKind = "wilcoxon",
    level: float = 0.05,
    threshold: float = 0.0,
    reference: npt.ArrayLike | None = None,
) -> PairedTest:
    """Two-sided test that paired ``differences`` lie to one side of ``threshold``.

    Parameters
    ----------
    differences
        (n,) one per pair.
    kind
        "wilcoxon" (signed ranks), "bootstrap" (of the mean, distribution free), "t" (normal differences: the only one
        that can decide with three seeds) or "sign" (of the pairs that differ, exact; of rates it is McNemar's).
    level
        1 - level is the confidence of the interval of the mean.
    threshold
        The effect to be exceeded, in the unit of the effect.
    reference
        (n,) positive magnitudes: the effect is then relative, mean(differences) / mean(reference).

    Raises
    ------
    ConfigError
        Unknown ``kind``.
    """
    d = np.asarray(differences, dtype=float)
    scale = np.ones_like(d) if reference is None else np.asarray(reference, dtype=float)
    n = len(d)
    if n == 0:
        return PairedTest(Interval(float("nan"), None, None, 0), 1.0, 0, float("nan"))
    effect = _ratio(d.mean(), scale.mean())
    if n == 1:
        return PairedTest(Interval(effect, None, None, 1), 1.0, 0, float("nan"))
    excess = d - threshold * scale
    replicates = _resampled_ratios(d, scale)
    if kind == "t":
        interval, p_value, direction = _t_test(d, excess, scale.mean(), level)
    else:
        low, high = np.quantile(replicates, expanded_levels(n, level))
        interval = Interval(effect, float(min(low, effect)), float(max(high, effect)), n)
        if kind == "wilcoxon":
            p_value, direction = _wilcoxon(excess)
        elif kind == "sign":
            p_value, direction = _sign_test(excess)
        elif kind == "bootstrap":
            p_value, direction = _bootstrap_p(replicates, threshold, n)
        else:
            raise ConfigError(f"test.kind is '{kind}'; choose one of {', '.join(TEST_KINDS)}")
    return PairedTest(interval, p_value, direction, standardised_effect(excess))


def welch_test(ours: Sample, theirs: Sample, level: float = 0.05) -> tuple[Interval, float]:
    """Difference of two means with its interval, and the two-sided p-value that there is none.

    Without a spread on both sides there is no interval and p is NaN; where neither side varies it is 1 for equal means and
    NaN for others, as nothing then says how much they might vary.
    """
    difference = ours.mean - theirs.mean
    if min(ours.n, theirs.n) < 2 or not np.isfinite(ours.std + theirs.std):
        return Interval(difference, None, None, ours.n), float("nan")
    a, b = ours.std**2 / ours.n, theirs.std**2 / theirs.n
    negligible = 1e-12 * max(abs(ours.mean), abs(theirs.mean))
    if np.sqrt(a + b) <= negligible:
        return Interval(difference, None, None, ours.n), 1.0 if abs(difference) <= negligible else float("nan")
    freedom = (a + b) ** 2 / (a**2 / (ours.n - 1) + b**2 / (theirs.n - 1))
    half = float(stats.t.ppf(1 - level / 2, freedom) * np.sqrt(a + b))
    test = stats.ttest_ind_from_stats(ours.mean, ours.std, ours.n, theirs.mean, theirs.std, theirs.n, equal_var=False)
    return Interval(difference, difference - half, difference + half, ours.n), float(test.pvalue)


def rank_sum_p(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Two-sided p-value of the Mann-Whitney test that unpaired samples, (n,) and (m,), differ; 1 where one is empty."""
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if not len(left) or not len(right):
        return 1.0
    return float(stats.mannwhitneyu(left, right).pvalue)


def smallest_p(kind: TestKind, n: int) -> float:
    """The smallest p-value ``kind`` can give with ``n`` pairs: above the level, no data could decide."""
    if n < 2:
        return 1.0
    if kind in ("wilcoxon", "sign"):
        return min(1.0, 2.0 ** (1 - n))
    if kind == "bootstrap":
        return float(2 * stats.t.cdf(stats.norm.ppf(0.5 / (RESAMPLES + 1)) * np.sqrt((n - 1) / n), n - 1))
    return 0.0


def standardised_effect(differences: npt.ArrayLike) -> float:
    """Cohen's d of (n,) paired differences: mean over deviation; infinite without spread, 0 if all are 0, NaN for n < 2."""
    d = np.asarray(differences, dtype=float)
    if len(d) < 2:
        return float("nan")
    spread, mean = d.std(ddof=1), d.mean()
    if spread <= 1e-15 * max(1.0, abs(mean)):
        return 0.0 if mean == 0 else float(np.copysign(np.inf, mean))
    return float(mean / spread)


def holm(p_values: npt.ArrayLike) -> np.ndarray:
    """(n,) p-values adjusted for testing all of them at once, in the order given.

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty_like(p)
    result[order] = np.minimum(adjusted, 1.0)
    return result


@lru_cache(maxsize=4)
def _draws(n: int, resamples: int, stream: int) -> np.ndarray:
    """(resamples, n) how often each of ``n`` items is drawn with replacement; draws of different streams are independent."""
    rng = np.random.default_rng([SEED, n, stream])
    weights = np.empty((resamples, n), dtype=np.float32)
    for row in weights:
        row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
    weights.flags.writeable = False
    return weights


def _ratio(numerator: float, denominator: float) -> float:
    """numerator / denominator; over a reference of zero a difference is infinitely large, and no difference is 0."""
    if denominator:
        return float(numerator / denominator)
    return float(np.sign(numerator) * np.inf) if numerator else 0.0


def _resampled_ratios(d: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(resamples,) mean(d) / mean(scale) over pairs drawn with replacement."""
    weights = _draws(len(d), RESAMPLES, 2)
    numerator, denominator = weights @ d, weights @ scale
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            denominator != 0, numerator / denominator, np.where(numerator == 0, 0.0, np.sign(numerator) * 1e300)
        )


def _t_test(d: np.ndarray, excess: np.ndarray, scale: float, level: float) -> tuple[Interval, float, int]:
    """Differences without any spread are copies of one result, not evidence: p = 1."""
    n, mean = len(d), excess.mean()
    effect = _ratio(d.mean(), scale)
    standard_error = excess.std(ddof=1) / np.sqrt(n)
    if standard_error <= 1e-15 * max(1.0, abs(mean)):
        return Interval(effect, effect, effect, n), 1.0, 0
    half = float(stats.t.ppf(1 - level / 2, n - 1) * standard_error) / (scale or 1.0)
    p_value = float(2 * stats.t.sf(abs(mean) / standard_error, n - 1))
    return Interval(effect, effect - half, effect + half, n), p_value, int(np.sign(mean))


def _wilcoxon(excess: np.ndarray) -> tuple[float, int]:
    """Pratt's treatment of zeros: pairs without a difference weaken the evidence instead of vanishing."""
    if not np.any(excess):
        return 1.0, 0
    ranks = stats.rankdata(np.abs(excess))[excess != 0]
    signs = np.sign(excess[excess != 0])
    direction = int(np.sign(ranks @ signs))
    if len(ranks) <= ENUMERATED:
        flips = 1 - 2.0 * (np.arange(2 ** len(ranks))[:, None] >> np.arange(len(ranks)) & 1)
        return float(np.mean(np.abs(flips @ ranks) >= abs(ranks @ signs) - 1e-9)), direction
    distinct = len(np.unique(np.abs(excess))) == len(excess) == len(ranks) <= 50
    outcome = stats.wilcoxon(excess, zero_method="pratt", method="exact" if distinct else "approx")
    return float(outcome.pvalue), direction


def _sign_test(excess: np.ndarray) -> tuple[float, int]:
    """Exact: each pair that differs falls to either side with probability 1/2."""
    above, below = int(np.sum(excess > 0)), int(np.sum(excess < 0))
    if not above + below:
        return 1.0, 0
    return float(stats.binomtest(above, above + below).pvalue), int(np.sign(above - below))


def _bootstrap_p(replicates: np.ndarray, threshold: float, n: int) -> tuple[float, int]:
    """The level at which ``threshold`` leaves the interval of :func:`expanded_levels`."""
    below = (np.sum(replicates < threshold) + 0.5 * np.sum(replicates == threshold) + 0.5) / (len(replicates) + 1)
    z = stats.norm.ppf(below) * np.sqrt((n - 1) / n)
    return float(2 * stats.t.sf(abs(z), n - 1)), int(np.sign(0.5 - below))
