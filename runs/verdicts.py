"""Whether a sweep bears out what a paper asserts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from runs import statistics
from runs.assertions import Claim
from runs.errors import ConfigError, nearest
from runs.results import Sweep, dataset_of
from runs.searches import METRICS_AT, Searches, with_anytime_metrics

CLAIM_COLUMNS = ["paper", "claim", "status", "effect", "ci_low", "ci_high", "p_value", "n", "experiment"]


class Verdict(StrEnum):
    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Judgement:
    """A claim with its verdict. ``effect`` is how much better ours is, in the metric's unit (or relative); ``p_value`` is
    adjusted over the claims of the sweep (Holm); ``reason`` says in words what decided."""

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
    sweep: Sweep, claims: Iterable[Claim], experiment: str, searches: Searches | None = None
) -> list[Judgement]:
    """Judge the claims that ``experiment`` ("lb_relax/table_small") decides by the runs of a sweep.

    A claim against several methods needs all of them beaten (intersection-union test); p-values are adjusted over the
    claims judged together (Holm).
    """
    chosen = [claim for claim in claims if claim.experiment == experiment]
    if not chosen:
        return []
    paper, _, name = experiment.partition("/")
    sweep = sweep.restricted(paper, name)
    searches = Searches.of(sweep) if searches is None else searches
    results = with_anytime_metrics(sweep.results, searches)
    results = results[(results["paper"] == paper) & (results["experiment"] == name)]
    outcomes = [_outcome(claim, results, searches) for claim in chosen]
    adjusted = statistics.holm([outcome.p_value for outcome in outcomes])
    return [_judge(claim, outcome, float(p)) for claim, outcome, p in zip(chosen, outcomes, adjusted, strict=True)]


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


def _reason(claim: Claim, opponent: str | float, test: statistics.PairedTest) -> str:
    n = test.effect.n
    what = f"against {opponent}, {n} paired {claim.over}"
    if statistics.smallest_p(claim.kind, n) >= claim.level:
        remedy = "more seeds or kind: t" if claim.over == "seeds" else "more instances"
        return f"{what}: too few for the {claim.kind} test ever to reach p < {claim.level:g}; it takes {remedy}"
    if test.direction and np.sign(test.effect.mean - claim.minimal_effect) != test.direction:
        return f"{what}: mean and ranks point to different sides"
    return what


def _against(claim: Claim, values: pd.DataFrame, opponent: str | float) -> statistics.PairedTest:
    ours = _paired_means(claim, values, claim.ours)
    if isinstance(opponent, str):
        theirs = _paired_means(claim, values, opponent)
    else:
        theirs = pd.Series(float(opponent), index=ours.index)
    pairs = pd.concat([ours, theirs], axis=1, join="inner", keys=["ours", "theirs"]).dropna()
    if pairs.empty:
        raise ConfigError(f"'{claim.ours}' and '{opponent}' have no {claim.over} in common")
    gain = pairs["ours"] - pairs["theirs"] if claim.better == "higher" else pairs["theirs"] - pairs["ours"]
    reference = pairs["theirs"].abs().to_numpy() if claim.relative else None
    return statistics.paired_test(gain.to_numpy(), claim.kind, claim.level, claim.minimal_effect, reference)


def _paired_means(claim: Claim, values: pd.DataFrame, method: str) -> pd.Series:
    """Value per instance averaged over seeds, or per seed averaged over the instances that all seeds and methods share."""
    key = "instance" if claim.over == "instances" else "seed"
    if key == "seed":
        named = [claim.ours, *(name for name in claim.opponents if isinstance(name, str))]
        part = values[values["method"].isin(named)]
        counts = part.groupby("instance")[["method", "seed"]].apply(lambda rows: len(rows.drop_duplicates()))
        values = values[values["instance"].isin(counts.index[counts == counts.max()])]
    return values[values["method"] == method].groupby(key)["value"].mean()


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
    for name in (claim.ours, *(name for name in claim.opponents if isinstance(name, str))):
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
