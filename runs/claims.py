"""The claims ledger: what a paper asserts, and whether a sweep bears it out.

``python -m runs.claims [--outputs DIR]`` judges every claim of every paper by the latest finished sweep of its experiment
and writes one page.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from runs import statistics
from runs.anytime import Clock
from runs.errors import ConfigError
from runs.published import CONF, read_entries
from runs.results import Sweep, dataset_of
from runs.searches import METRICS_AT, Searches, with_anytime_metrics

CLAIM_COLUMNS = ["paper", "claim", "status", "effect", "ci_low", "ci_high", "p_value", "n", "experiment"]
_TEST_FIELDS = ("kind", "over", "level", "minimal_effect", "relative", "at")
_REQUIRED = ("id", "statement", "source", "metric", "better", "ours", "against", "experiment")


class Verdict(StrEnum):
    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Claim:
    """One entry of a ``claims.yaml``.

    Parameters
    ----------
    metric
        A metric of the results, or one of the recomputed anytime metrics; ``<metric>/<data set>`` looks at that set alone.
    against
        Method names, every one of which must be beaten; or one number.
    kind, over, level
        The paired test; pairs are instances (averaged over seeds) or seeds (averaged over instances).
    minimal_effect
        What the effect must exceed; a negative value asks for "not worse by more than".
    relative
        Effect and minimal effect are fractions of the mean magnitude of ``against``.
    at
        Clock and position at which an anytime metric is read; None for the end.
    """

    paper: str
    id: str
    statement: str
    source: str
    metric: str
    better: str
    ours: str
    against: tuple[str, ...] | float
    experiment: str
    kind: statistics.TestKind = "wilcoxon"
    over: str = "instances"
    level: float = 0.05
    minimal_effect: float = 0.0
    relative: bool = False
    at: tuple[Clock, float] | None = None

    @property
    def opponents(self) -> tuple[str | float, ...]:
        return self.against if isinstance(self.against, tuple) else (self.against,)


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


def load_claims(paper: str, conf: Path = CONF) -> list[Claim]:
    """The claims of a paper; none if it has no ``claims.yaml``.

    Raises
    ------
    ConfigError
        The file breaks the format: names file, entry and field.
    """
    path = conf / "experiment" / paper / "claims.yaml"
    claims = [_parse(path, paper, i, item) for i, item in enumerate(read_entries(path))]
    ids = [claim.id for claim in claims]
    if twice := next((name for name in ids if ids.count(name) > 1), None):
        raise ConfigError(f"{path}: entry '{twice}': field 'id' is used twice; ids must be unique")
    return claims


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
            raise ConfigError(f"method '{name}' has no '{claim.metric}' here{_nearest(name, methods)}")
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
        raise ConfigError(f"data set '{dataset}' is not in the sweep{_nearest(dataset, datasets)}")
    raise ConfigError(f"metric '{claim.metric}' is not in the results{_nearest(claim.metric, known)}")


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(known) or 'none'}"


def _parse(path: Path, paper: str, position: int, item: Any) -> Claim:
    label = f"'{item['id']}'" if isinstance(item, dict) and isinstance(item.get("id"), str) else str(position + 1)
    where = f"{path}: entry {label}"
    if not isinstance(item, dict):
        raise ConfigError(f"{where}: expected a mapping, found {type(item).__name__}")
    test = item.get("test") or {}
    if not isinstance(test, dict):
        raise ConfigError(f"{where}: field 'test' must be a mapping such as {{kind: wilcoxon, over: instances}}")
    for given, known, prefix in ((item, (*_REQUIRED, "test"), ""), (test, _TEST_FIELDS, "test.")):
        if unknown := next((name for name in given if name not in known), None):
            raise ConfigError(f"{where}: unknown field '{prefix}{unknown}'{_nearest(str(unknown), known)}")
    for name in _REQUIRED:
        if name != "against" and (not isinstance(item.get(name), str) or not item[name].strip()):
            raise ConfigError(f"{where}: field '{name}' must be a text, found {item.get(name)!r}")
    _one_of(where, "better", item["better"], ("lower", "higher"))
    kind = _one_of(where, "test.kind", test.get("kind", "wilcoxon"), statistics.TEST_KINDS)
    over = _one_of(where, "test.over", test.get("over", "instances"), ("instances", "seeds"))
    level = _number(where, "test.level", test.get("level", 0.05))
    if not 0 < level < 1:
        raise ConfigError(f"{where}: field 'test.level' must lie between 0 and 1, found {level:g}")
    if not isinstance(test.get("relative", False), bool):
        raise ConfigError(f"{where}: field 'test.relative' must be true or false, found {test['relative']!r}")
    if item["experiment"].count("/") != 1 or not item["experiment"].startswith(f"{paper}/"):
        raise ConfigError(f"{where}: field 'experiment' must read {paper}/<name>, found '{item['experiment']}'")
    return Claim(
        paper=paper,
        **{name: item[name].strip() for name in _REQUIRED if name != "against"},
        against=_parse_against(where, item.get("against")),
        kind=cast(statistics.TestKind, kind),
        over=over,
        level=level,
        minimal_effect=_number(where, "test.minimal_effect", test.get("minimal_effect", 0.0)),
        relative=test.get("relative", False),
        at=_parse_at(where, test.get("at")),
    )


def _parse_against(where: str, value: Any) -> tuple[str, ...] | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(
            f"{where}: field 'against' must be a method name, a list of them, or a number; found {value!r}"
        )
    return tuple(names)


def _parse_at(where: str, value: Any) -> tuple[Clock, float] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in ("seconds", "evaluations"):
        raise ConfigError(f"{where}: field 'test.at' must be {{seconds: x}} or {{evaluations: x}}, found {value!r}")
    clock, position = next(iter(value.items()))
    return clock, _number(where, f"test.at.{clock}", position)


def _one_of(where: str, name: str, value: Any, known: Sequence[str]) -> str:
    if value not in known:
        raise ConfigError(f"{where}: field '{name}' must be {' or '.join(known)}, found {value!r}")
    return str(value)


def _number(where: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ConfigError(f"{where}: field '{name}' must be a number, found {value!r}")
    return float(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m runs.claims``."""
    from runs.ledger import command

    return command(arguments)


if __name__ == "__main__":
    sys.exit(main())
