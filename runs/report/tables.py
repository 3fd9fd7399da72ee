"""The summary of a sweep: one row per method and metric, with its interval and the published number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from runs.claims.blocks import blocks
from runs.claims.metric import Metric
from runs.claims.metrics import UNDECLARED, PaperMetrics
from runs.claims.published import Published
from runs.record.in_common import Senses

REPORT_COLUMNS = ["paper", "experiment", "method", "metric", "mean", "ci_low", "ci_high", "n"]
REPORT_COLUMNS += ["published", "published_source", "unit"]


def summarise(
    results: pd.DataFrame,
    published: Iterable[Published] = (),
    metrics: PaperMetrics = UNDECLARED,
    senses: Senses | None = None,
) -> pd.DataFrame:
    """Mean and interval over seeds (and instances) of every metric, :data:`REPORT_COLUMNS`.

    Methods are averaged over what all of them have, see :mod:`runs.claims.blocks`; ``n`` is the number of values.

    Where an experiment has several data sets, each also gets its own rows, the metric named ``primal_gap/ca_small``.
    """
    published = list(published)
    rows = []
    for paper, experiment, method, metric, dataset, name, group in blocks(results, metrics, senses):
        interval = metrics.of(paper, metric).interval_of(group)
        fitting = [p for p in published if p.paper == paper and p.fits(experiment, method, metric, dataset)]
        theirs = next((p for p in fitting if p.value is not None), fitting[0] if fitting else None)
        shown = metrics.of(paper, metric)
        right = _published_columns(theirs, shown) if theirs else (None, "", shown.unit)
        rows.append((paper, experiment, method, name, interval.mean, interval.low, interval.high, interval.n, *right))
    return pd.DataFrame(rows, columns=REPORT_COLUMNS)


def by_experiment(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Paper, experiment and their rows of a summary."""
    for (paper, experiment), rows in table.groupby(["paper", "experiment"], sort=True):
        yield str(paper), str(experiment), rows


def beside_published(
    results: pd.DataFrame, table: pd.DataFrame, published: Iterable[Published]
) -> list[tuple[Published, pd.Series | None]]:
    """Every published number with the row of the summary that measures the same, or None."""
    rows = {(row["paper"], row["experiment"], row["method"], row["metric"]): row for _, row in table.iterrows()}
    keys = [block[:6] for block in blocks(results)]
    found = []
    for entry in published:
        fitting = (
            rows.get((paper, experiment, method, name))
            for paper, experiment, method, metric, dataset, name in keys
            if paper == entry.paper and entry.fits(experiment, method, metric, dataset)
        )
        found.append((entry, next((row for row in fitting if row is not None), None)))
    return found


def _published_columns(theirs: Published, metric: Metric) -> tuple[float | None, str, str]:
    """Published value, source and unit, the value in the unit of ours."""
    unit = metric.unit if metric.declared else theirs.unit
    return metric.in_our_unit(theirs.value, theirs.unit), theirs.source, unit
