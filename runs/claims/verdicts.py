"""Whether a sweep bears out what a paper asserts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from runs.claims import statistics
from runs.claims.agreement import agreements, in_words, shown_difference
from runs.claims.claim import Claim
from runs.claims.metrics import UNDECLARED, PaperMetrics
from runs.claims.published import Published
from runs.errors import ConfigError, nearest
from runs.record.in_common import dataset_of
from runs.record.searches import METRICS_AT, Searches, with_anytime_metrics
from runs.record.sweep_folder import Sweep

CLAIM_COLUMNS = ["paper", "claim", "status", "effect", "ci_low", "ci_high", "p_value", "n", "experiment"]


class Verdict(StrEnum):
    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Judgement:
    """A claim with its verdict.

    Parameters
    ----------
    effect
        How much better ours is, in the metric's unit (or relative). Of a claim of agreement it is the largest difference,
        or the clearest one where it is contradicted, and its ``n`` are the published numbers that were tested.
    p_value
        Adjusted over the paired claims of the sweep, or over the published numbers of a claim of agreement (Holm).
    effect_size
        Mean difference in standard deviations.
    reason
        What decided, in words.
    """

    claim: Claim
    status: Verdict
    effect: statistics.Interval
    p_value: float
    effect_size: float
    reason: str

    def row(self) -> dict[str, Any]:
        """The entry of ``claims.csv``."""
        claim, effect = self.claim, self.effect
        values = (claim.paper, claim.id, str(self.status), effect.mean, effect.low, effect.high, self.p_value, effect.n)
        return dict(zip(CLAIM_COLUMNS, (*values, claim.experiment), strict=True))


def evaluate(
    sweep: Sweep,
    claims: Iterable[Claim],
    experiment: str,
    searches: Searches | None = None,
    published: Iterable[Published] = (),
    metrics: PaperMetrics = UNDECLARED,
) -> list[Judgement]:
    """Judge the claims that ``experiment`` ("lb_relax/table_small") decides by the runs of a sweep.

    A claim against several methods needs all of them beaten (intersection-union test); p-values are adjusted over the
    claims judged together (Holm). A claim that ours agree with the ``published`` numbers is contradicted as soon as one of
    them differs, by a test adjusted over these numbers alone: adjusting it further would only make it easier to bear out.
    """
    chosen = [claim for claim in claims if claim.experiment == experiment]
    if not chosen:
        return []
    paper, _, name = experiment.partition("/")
    sweep = sweep.restricted(paper, name)
    searches = Searches.of(sweep) if searches is None else searches
    results = with_anytime_metrics(sweep.results, searches)
    results = results[(results["paper"] == paper) & (results["experiment"] == name)]
    published = [entry for entry in published if entry.paper == paper]
    alike = [claim for claim in chosen if claim.asserts_agreement]
    agreeing = {claim.id: _judge_agreement(claim, results, published, metrics) for claim in alike}
    paired = [claim for claim in chosen if not claim.asserts_agreement]
    outcomes = [_outcome(claim, results, searches) for claim in paired]
    adjusted = statistics.holm([outcome.p_value for outcome in outcomes])
    judged = {claim.id: _judge(claim, o, float(p)) for claim, o, p in zip(paired, outcomes, adjusted, strict=True)}
    return [(agreeing | judged)[claim.id] for claim in chosen]


def to_frame(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """The rows of ``claims.csv``."""
    return pd.DataFrame([judgement.row() for judgement in judgements], columns=CLAIM_COLUMNS)


@dataclass(frozen=True)
class _Outcome:
    effect: statistics.Interval
    p_value: float
    direction: int
    effect_size: float
    reason: str


_NO_DATA = statistics.Interval(float("nan"), None, None, 0)


def _outcome(claim: Claim, results: pd.DataFrame, searches: Searches) -> _Outcome:
    try:
        values = _values(claim, results, searches)
        outcomes = [(name, _against(claim, values, name)) for name in claim.opponents]
    except ConfigError as error:
        return _Outcome(_NO_DATA, 1.0, 0, float("nan"), f"no data: {error}")
    name, weakest = min(outcomes, key=lambda item: _order(item[1].effect.mean, claim.minimal_effect))
    if all(test.direction > 0 for _, test in outcomes):
        p_value = max(test.p_value for _, test in outcomes)
    else:
        p_value = min(1.0, len(outcomes) * min(test.p_value for _, test in outcomes if test.direction <= 0))
        name, weakest = min(
            (item for item in outcomes if item[1].direction <= 0),
            key=lambda item: (item[1].p_value, item[1].effect.mean),
        )
    return _Outcome(weakest.effect, p_value, weakest.direction, weakest.effect_size, _reason(claim, name, weakest))


def _order(effect: float, minimal: float) -> float:
    return float("-inf") if np.isnan(effect) else effect - minimal


def _judge(claim: Claim, outcome: _Outcome, p_value: float) -> Judgement:
    excess = outcome.effect.mean - claim.minimal_effect
    status = Verdict.INCONCLUSIVE
    if outcome.effect.n and p_value < claim.level and np.sign(excess) == outcome.direction:
        status = Verdict.REPRODUCED if outcome.direction > 0 else Verdict.CONTRADICTED
    return Judgement(claim, status, outcome.effect, p_value, outcome.effect_size, outcome.reason)


def _judge_agreement(
    claim: Claim, results: pd.DataFrame, published: list[Published], metrics: PaperMetrics
) -> Judgement:
    try:
        metric, dataset = _resolve(claim, results)
    except ConfigError as error:
        return Judgement(claim, Verdict.INCONCLUSIVE, _NO_DATA, float("nan"), float("nan"), f"no data: {error}")
    rows = results[results["metric"] == metric]
    if dataset:
        rows = rows[rows["instance"].map(dataset_of) == dataset]
        published = [entry for entry in published if entry.dataset]
    beside = agreements(rows, [entry for entry in published if entry.metric == metric], metrics, claim.level)
    shown = shown_difference(beside, claim.level)
    if shown is None:
        reason = f"no data: of {len(beside)} published numbers with a counterpart here, none can be tested: it takes"
        reason += " their std and n, and two seeds of ours or more"
        return Judgement(claim, Verdict.INCONCLUSIVE, _NO_DATA, float("nan"), float("nan"), reason)
    tested = [item.adjusted for item in beside if item.tested]
    status, caution = Verdict.CONTRADICTED, ""
    if min(tested) >= claim.level:
        status, caution = Verdict.REPRODUCED, "; that no difference was found is weaker than that there is none"
    effect, reason = _gain(claim, shown.difference, len(tested)), in_words(beside, shown, claim.level) + caution
    return Judgement(claim, status, effect, min(tested), float("nan"), reason)


def _gain(claim: Claim, difference: statistics.Interval, n: int) -> statistics.Interval:
    """A difference as how much better ours is."""
    mean, low, high = difference.mean, difference.low, difference.high
    if claim.better == "higher":
        return statistics.Interval(mean, low, high, n)
    return statistics.Interval(-mean, None if high is None else -high, None if low is None else -low, n)


def _reason(claim: Claim, opponent: str | float, test: statistics.PairedTest) -> str:
    assert claim.kind != "welch"
    n = test.effect.n
    what = f"against {opponent}, {n} paired {claim.over}"
    if statistics.smallest_p(claim.kind, n) >= claim.level:
        remedy = "more seeds or kind: t" if claim.over == "seeds" else "more instances"
        return f"{what}: too few for the {claim.kind} test ever to reach p < {claim.level:g}; it takes {remedy}"
    if test.direction and np.sign(test.effect.mean - claim.minimal_effect) != test.direction:
        return f"{what}: mean and ranks point to different sides"
    return what


def _against(claim: Claim, values: pd.DataFrame, opponent: str | float) -> statistics.PairedTest:
    if claim.ratio:
        values = values.assign(value=_logarithms(claim, values["value"]))
    ours = _paired_means(claim, values, claim.ours)
    if isinstance(opponent, str):
        theirs = _paired_means(claim, values, opponent)
    else:
        number = _logarithms(claim, float(opponent)) if claim.ratio else float(opponent)
        theirs = pd.Series(number, index=ours.index)
    pairs = pd.concat([ours, theirs], axis=1, join="inner", keys=["ours", "theirs"]).dropna()
    if pairs.empty:
        raise ConfigError(f"'{claim.ours}' and '{opponent}' have no {claim.over} in common")
    assert claim.kind != "welch"
    gain = pairs["ours"] - pairs["theirs"] if claim.better == "higher" else pairs["theirs"] - pairs["ours"]
    reference = pairs["theirs"].abs().to_numpy() if claim.relative else None
    if not claim.ratio:
        return statistics.paired_test(gain.to_numpy(), claim.kind, claim.level, claim.minimal_effect, reference)
    test = statistics.paired_test(gain.to_numpy(), claim.kind, claim.level, float(np.log1p(claim.minimal_effect)))
    low, high = (None if end is None else float(np.expm1(end)) for end in (test.effect.low, test.effect.high))
    return replace(test, effect=statistics.Interval(float(np.expm1(test.effect.mean)), low, high, test.effect.n))


def _logarithms(claim: Claim, values: Any) -> Any:
    if np.min(values) <= 0:
        raise ConfigError(f"'{claim.metric}' has the value {np.min(values):.6g}, and ratios are of positive numbers")
    return np.log(values)


def _paired_means(claim: Claim, values: pd.DataFrame, method: str) -> pd.Series:
    """Value per instance averaged over seeds, or per seed averaged over the instances that all seeds and methods share.

    A method with a control has the control's value subtracted, pair by pair.
    """
    key = "instance" if claim.over == "instances" else "seed"
    if key == "seed":
        part = values[values["method"].isin(claim.methods)]
        counts = part.groupby("instance")[["method", "seed"]].apply(lambda rows: len(rows.drop_duplicates()))
        values = values[values["instance"].isin(counts.index[counts == counts.max()])]
    means = values.pivot_table("value", key, "method").reindex(columns=sorted(set(claim.methods)))
    return means[method] - means[claim.controls[method]] if method in claim.controls else means[method]


def _values(claim: Claim, results: pd.DataFrame, searches: Searches) -> pd.DataFrame:
    """Rows of the claim's metric for the methods it names."""
    metric, dataset = _resolve(claim, results)
    if claim.at is None:
        rows = results[results["metric"] == metric]
    else:
        if metric not in METRICS_AT:
            raise ConfigError(f"metric '{metric}' cannot be read at a time; choose one of {', '.join(METRICS_AT)}")
        rows = searches.metric(metric, *claim.at)
        paper, _, name = claim.experiment.partition("/")
        rows = rows[(rows["paper"] == paper) & (rows["experiment"] == name)]
    if dataset:
        rows = rows[rows["instance"].map(dataset_of) == dataset]
    rows = rows[np.isfinite(rows["value"].astype(float))]
    methods = sorted(set(rows["method"]))
    for name in claim.methods:
        if name not in methods:
            raise ConfigError(f"method '{name}' has no '{claim.metric}' here{nearest(name, methods)}")
    return rows


def _resolve(claim: Claim, results: pd.DataFrame) -> tuple[str, str]:
    """Metric and data set of a claim's ``metric``."""
    known = sorted(set(results["metric"]))
    if not known:
        raise ConfigError("the sweep has no results")
    if claim.metric in known:
        return claim.metric, ""
    metric, _, dataset = claim.metric.rpartition("/")
    if metric in known:
        datasets = sorted(set(results["instance"].map(dataset_of)))
        if dataset in datasets:
            return metric, dataset
        raise ConfigError(f"data set '{dataset}' is not in the sweep{nearest(dataset, datasets)}")
    raise ConfigError(f"metric '{claim.metric}' is not in the results{nearest(claim.metric, known)}")
