"""Whether our numbers agree with the published ones, where a paper prints how its own vary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from runs.claims.blocks import Block, blocks
from runs.claims.metric import Metric
from runs.claims.metrics import UNDECLARED, PaperMetrics
from runs.claims.number_format import number
from runs.claims.published import Published
from runs.claims.statistics import Interval, Sample, holm, welch_test
from runs.record.in_common import Senses

PUBLISHED_COLUMNS = ["paper", "experiment", "method", "metric", "ours", "ours_std", "ours_n", "published"]
PUBLISHED_COLUMNS += ["published_std", "published_n", "difference", "ci_low", "ci_high", "p_value", "p_holm", "source"]
LEVEL = 0.05


@dataclass(frozen=True)
class Agreement:
    """A published number beside ours, in our unit.

    Parameters
    ----------
    entry
        The published number.
    experiment, metric
        Where ours comes from, and how it is shown; ``accuracy/wikitext`` is the metric of one of several data sets.
    ours, theirs
        Mean, standard deviation and number of seeds. Of ours, each seed counts with its mean over the instances.
    difference
        Ours minus theirs, with its interval where the test could be made.
    p_value, adjusted
        Of Welch's test that the two means are the same; adjusted over the published numbers of the experiment (Holm). NaN
        where it cannot be made: from one seed, without a published spread, or where neither side varies.
    """

    entry: Published
    experiment: str
    metric: Metric
    ours: Sample
    theirs: Sample
    difference: Interval
    p_value: float
    adjusted: float = float("nan")

    @property
    def tested(self) -> bool:
        return not np.isnan(self.p_value)

    def row(self) -> dict[str, object]:
        """The entry of ``published.csv``."""
        entry, ours, theirs, found = self.entry, self.ours, self.theirs, self.difference
        values: list[object] = [
            entry.paper,
            self.experiment,
            entry.method,
            self.metric.name,
            ours.mean,
            ours.std,
            ours.n,
        ]
        values += [theirs.mean, theirs.std, theirs.n or None, found.mean, found.low, found.high]
        return dict(zip(PUBLISHED_COLUMNS, (*values, self.p_value, self.adjusted, entry.source), strict=True))


def agreements(
    results: pd.DataFrame,
    published: Iterable[Published],
    metrics: PaperMetrics = UNDECLARED,
    level: float = LEVEL,
    senses: Senses | None = None,
) -> list[Agreement]:
    """Every published number that has a counterpart in the results, tested where possible.

    References
    ----------
    Welch, The generalization of "Student's" problem when several different population variances are involved,
    Biometrika 34 (1947).
    """
    rows = blocks(results, metrics, senses)
    found = list(_agreements(rows, [entry for entry in published if entry.value is not None], metrics, level))
    adjusted = [float("nan")] * len(found)
    for experiment in {(item.entry.paper, item.experiment) for item in found}:
        tested = [i for i, a in enumerate(found) if a.tested and (a.entry.paper, a.experiment) == experiment]
        for i, p_value in zip(tested, holm([found[i].p_value for i in tested]), strict=True):
            adjusted[i] = float(p_value)
    return [replace(item, adjusted=p_value) for item, p_value in zip(found, adjusted, strict=True)]


def in_words(found: Sequence[Agreement], shown: Agreement, level: float = LEVEL) -> str:
    """How many published numbers were tested and differ, and one difference. Nothing is said to be the same."""
    tested = [item for item in found if item.tested]
    differing = sum(item.adjusted < level for item in tested)
    untested = f" ({len(found) - len(tested)} more lack a spread, theirs or ours)" if len(tested) < len(found) else ""
    metric, difference = shown.metric, shown.difference
    ours, theirs = (metric.quantity(side.mean) for side in (shown.ours, shown.theirs))
    bounds = metric.interval(difference.low, difference.high, abs(shown.theirs.mean))
    return (
        f"{len(tested) - differing} of {len(tested)} published numbers agree within sampling error{untested}; "
        f"{'clearest' if differing else 'largest'} difference {metric.quantity(difference.mean)} {bounds}: "
        f"{shown.entry.method} {metric.label}, ours {ours}, published {theirs} (p {number(shown.adjusted, 2)})"
    )


def shown_difference(found: Sequence[Agreement], level: float = LEVEL) -> Agreement | None:
    """What to show of the tested pairs: the clearest difference where there is one, else the largest of one metric."""
    tested = [item for item in found if item.tested]
    if not tested:
        return None
    clearest = min(tested, key=lambda item: (item.p_value, -abs(item.difference.mean)))
    if clearest.adjusted < level or len({item.entry.metric for item in tested}) > 1:
        return clearest
    return max(tested, key=lambda item: abs(item.difference.mean))


def _agreements(
    rows: list[Block], published: list[Published], metrics: PaperMetrics, level: float
) -> Iterator[Agreement]:
    seen: set[tuple[str, Published]] = set()  # a number for all data sets is not one for each of them
    for paper, experiment, method, metric, dataset, name, group in rows:
        for entry in published:
            fits = paper == entry.paper and entry.fits(experiment, method, metric, dataset)
            if fits and (experiment, entry) not in seen:
                seen.add((experiment, entry))
                yield _agreement(entry, experiment, metrics.of(paper, name), group, level)


def _agreement(entry: Published, experiment: str, metric: Metric, group: pd.DataFrame, level: float) -> Agreement:
    finite = group[np.isfinite(group["value"].astype(float))]
    by_seed = finite.groupby("seed")["value"].mean()
    ours = Sample(float(by_seed.mean()), float(by_seed.std(ddof=1)), len(by_seed))
    value, std = metric.in_our_unit(entry.value, entry.unit), metric.in_our_unit(entry.std, entry.unit)
    assert value is not None
    theirs = Sample(value, float("nan") if std is None else std, entry.n or 0)
    difference, p_value = welch_test(ours, theirs, level)
    return Agreement(entry, experiment, metric, ours, theirs, difference, p_value)
