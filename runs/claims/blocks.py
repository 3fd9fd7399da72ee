"""The results of a sweep in blocks, a row of its summary each: what may be averaged, and beside what it may stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from runs.claims.metrics import UNDECLARED, PaperMetrics
from runs.record.in_common import SEVERAL, Senses, dataset_of, in_common, why_no_mean
from runs.record.searches import OPTIMUM

MAX_NAMED = 3


class Block(NamedTuple):
    """The results that a row of the summary is the mean of.

    The data set is "" where the row spans several; ``name`` is that of the row, ``cost/ca`` for one of several data sets.
    The rows are those of the instances and seeds that all methods with this metric have.
    """

    paper: str
    experiment: str
    method: str
    metric: str
    dataset: str
    name: str
    rows: pd.DataFrame


class _Level(NamedTuple):
    """The results of one metric that stand beside each other: of all methods, on one data set or on all ("")."""

    paper: str
    experiment: str
    metric: str
    dataset: str
    name: str
    rows: pd.DataFrame
    shared: np.ndarray
    apart: str


def blocks(results: pd.DataFrame, metrics: PaperMetrics = UNDECLARED, senses: Senses | None = None) -> list[Block]:
    """Every row of the summary with its results.

    A metric in the sense and scale of its instance (:attr:`~runs.claims.metric.Metric.per_instance`) has none over several
    data sets, nor where the instances differ in either.
    """
    found = [
        Block(level.paper, level.experiment, str(method), level.metric, level.dataset, level.name, rows)
        for level in _levels(results, metrics, senses or {})
        if not level.apart
        for method, rows in level.rows[level.shared].groupby("method", sort=True)
    ]
    return sorted(found, key=lambda block: (*block[:4], block.name != block.metric, block.dataset))


def left_out(
    results: pd.DataFrame, metrics: PaperMetrics = UNDECLARED, senses: Senses | None = None, only: Collection[str] = ()
) -> list[str]:
    """What the means do not cover and why, in sentences; of the metrics named by ``only``, or of all."""
    labels: dict[tuple[str, str], list[str]] = defaultdict(list)
    for level in _levels(results, metrics, senses or {}):
        if (only and level.metric not in only) or level.apart == SEVERAL:
            continue
        told = level.apart or ("" if metrics.of(level.paper, level.metric).ratio else _missing(level))
        place = f"{level.experiment}{f', {level.dataset}' if level.name != level.metric else ''}"
        label = metrics.of(level.paper, level.metric).label
        if told and label not in labels[place, told]:
            labels[place, told].append(label)
    several = results["experiment"].nunique() > 1
    return [
        f"{f'{place}: ' if several or ', ' in place else ''}{', '.join(names)}: {told}"
        for (place, told), names in labels.items()
        if names
    ]


def _levels(results: pd.DataFrame, metrics: PaperMetrics, senses: Senses) -> Iterator[_Level]:
    results = results[results["metric"] != OPTIMUM]
    for (paper, experiment), part in results.groupby(["paper", "experiment"], sort=True):
        part = part.assign(dataset=part["instance"].map(dataset_of))
        datasets = sorted(set(part["dataset"]))
        yield from _of_data(str(paper), str(experiment), "", part, metrics, senses, len(datasets) > 1)
        for dataset in datasets if len(datasets) > 1 else ():
            yield from _of_data(
                str(paper), str(experiment), str(dataset), part[part["dataset"] == dataset], metrics, senses, False
            )


def _of_data(
    paper: str, experiment: str, dataset: str, part: pd.DataFrame, metrics: PaperMetrics, senses: Senses, several: bool
) -> Iterator[_Level]:
    finite = part[np.isfinite(part["value"].astype(float))]
    groups = {str(metric): rows for metric, rows in finite.groupby("metric", sort=True)}
    own = [metric for metric in groups if metrics.of(paper, metric).per_instance]
    shared = {
        metric: np.ones(len(rows), dtype=bool) if metrics.of(paper, metric).ratio else in_common(rows)
        for metric, rows in groups.items()
    }  # a ratio has its pairs already
    if len(own) > 1:  # an objective and a bound stand beside each other, over the same instances
        each = [set(groups[metric]["instance"][shared[metric]]) for metric in own]
        if both := set.intersection(*each):
            for metric in own:
                shared[metric] = shared[metric] & groups[metric]["instance"].isin(both).to_numpy()
    known = sorted(set(part["dataset"]))
    for metric, rows in groups.items():
        apart = SEVERAL if several and metric in own else ""
        if metric in own and not several:
            apart = why_no_mean(rows[shared[metric]], senses)
        only = known[0] if not dataset and len(known) == 1 else dataset
        name = f"{metric}/{dataset}" if dataset else metric
        yield _Level(paper, experiment, metric, only, name, rows, shared[metric], apart)


def _missing(level: _Level) -> str:
    """Which results do not count as another method has none there, or ""."""
    rows = level.rows
    if level.shared.all():
        if rows.groupby("instance")["method"].nunique().max() == rows["method"].nunique():
            return ""
        return "the methods share no instance; each mean is over a method's own"
    unit = ["instance", "seed"] if rows["seed"].nunique() > 1 else ["instance"]
    every, kept = rows[unit].drop_duplicates(), rows[level.shared][unit].drop_duplicates()
    methods = sorted(set(rows["method"]))
    lost = rows[~rows["instance"].isin(rows["instance"][level.shared])]
    named = []
    for instance, part in lost.groupby("instance", sort=True):
        absent = [method for method in methods if method not in set(part["method"])]
        named.append(f"{instance} (not {', '.join(absent[:MAX_NAMED])})" if absent else str(instance))
    more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    of = "instances" if len(unit) == 1 else "pairs of instance and seed"
    told = f"over the {len(kept)} of {len(every)} {of} that all methods have"
    return f"{told}; left out: {', '.join(named[:MAX_NAMED])}{more}" if named else told
