"""The summary of a sweep: one row per method and metric, with its interval and the published number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from runs.outcomes import FLAGS
from runs.published import Published
from runs.results import dataset_of
from runs.searches import OPTIMUM
from runs.statistics import mean_interval

REPORT_COLUMNS = ["paper", "experiment", "method", "metric", "mean", "ci_low", "ci_high", "n"]
REPORT_COLUMNS += ["published", "published_source", "unit"]

FRACTIONS = ("primal_gap", "survival_rate", "best_performing_rate", *FLAGS)
"""Metrics between 0 and 1 that papers print in percent."""
UNITS = {"primal_integral": "s", "primal_integral_evaluations": "evaluations", "seconds": "s", "wall_seconds": "s"}


def summarise(results: pd.DataFrame, published: Iterable[Published] = ()) -> pd.DataFrame:
    """Mean and interval over seeds (and instances) of every metric, :data:`REPORT_COLUMNS`.

    Where an experiment has several data sets, each also gets its own rows, the metric named ``primal_gap/ca_small``.
    """
    published = list(published)
    rows = []
    for paper, experiment, method, metric, dataset, name, group in blocks(results):
        interval = mean_interval(group["value"], group["seed"], group["instance"])
        fitting = [p for p in published if p.paper == paper and p.fits(experiment, method, metric, dataset)]
        theirs = next((p for p in fitting if p.value is not None), fitting[0] if fitting else None)
        right = _published_columns(theirs, metric) if theirs else (None, "", UNITS.get(metric, ""))
        rows.append((paper, experiment, method, name, interval.mean, interval.low, interval.high, interval.n, *right))
    return pd.DataFrame(rows, columns=REPORT_COLUMNS)


def blocks(results: pd.DataFrame) -> Iterator[tuple[str, str, str, str, str, str, pd.DataFrame]]:
    """(paper, experiment, method, metric, data set, name of the row, results) of every row of the summary.

    The data set is "" where a row spans several.
    """
    for (paper, experiment), part in results[results["metric"] != OPTIMUM].groupby(["paper", "experiment"], sort=True):
        part = part.assign(dataset=part["instance"].map(dataset_of))
        datasets = sorted(set(part["dataset"]))
        for (method, metric), group in part.groupby(["method", "metric"], sort=True):
            key = str(paper), str(experiment), str(method), str(metric)
            yield *key, datasets[0] if len(datasets) == 1 else "", str(metric), group
            if len(datasets) > 1:
                for dataset, block in group.groupby("dataset", sort=True):
                    yield *key, str(dataset), f"{metric}/{dataset}", block


def beside_published(
    results: pd.DataFrame, table: pd.DataFrame, published: Iterable[Published]
) -> list[tuple[Published, pd.Series | None]]:
    """Every published number with the row of the summary that measures the same, or None."""
    keys = [(*block[:5], block[5]) for block in blocks(results)]
    found = []
    for entry in published:
        row = None
        for paper, experiment, method, metric, dataset, name in keys:
            if paper == entry.paper and entry.fits(experiment, method, metric, dataset):
                same = (table["experiment"] == experiment) & (table["method"] == method) & (table["metric"] == name)
                row = table[same & (table["paper"] == paper)].iloc[0]
                break
        found.append((entry, row))
    return found


def _published_columns(theirs: Published, metric: str) -> tuple[float | None, str, str]:
    """Published value, source and unit, the value in the unit of ours."""
    unit = "" if _in_percent(theirs) else theirs.unit or UNITS.get(metric, "")
    return in_our_unit(theirs, theirs.value), theirs.source, unit


def in_our_unit(theirs: Published, number: float | None) -> float | None:
    """A number of a published entry, its value or its standard deviation, in the unit of ours."""
    return number / 100 if number is not None and _in_percent(theirs) else number


def _in_percent(theirs: Published) -> bool:
    return theirs.metric in FRACTIONS and theirs.unit == "%"
