"""The tables of means on a report's page: a row per method and data set, a column per metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from runs.claims.metric import Metric
from runs.claims.number_format import largest
from runs.report.order import best_first, leading
from runs.report.summary import ReportSummary
from runs.report.tables import by_experiment

MAX_LEADING = 16
Anchors = Mapping[tuple[str, str, str], str]
"""Where the page has the command of a paper, experiment and method."""


@dataclass(frozen=True)
class _Row:
    """Whose means they are, with the rows of the summary by metric."""

    paper: str
    experiment: str
    dataset: str
    method: str
    means: Mapping[str, Mapping[Any, Any]]


def overviews(summary: ReportSummary, anchors: Anchors) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metrics that come first in any of the experiments, and all metrics with these ahead."""
    table = _split(summary.table)
    measured = table[table["n"] > 0]
    leads = {}
    for paper, experiment, rows in by_experiment(measured):
        found = leading(summary.metrics[paper], experiment, set(rows["metric"]), summary.clock, summary.first)
        leads[paper, experiment] = found[:MAX_LEADING]
    metrics = summary.metrics.shown(zip(measured["paper"], measured["base"], strict=True))
    ahead = [metrics[name] for name in dict.fromkeys(name for lead in leads.values() for name in lead)]
    rest = [metric for metric in metrics.values() if metric not in ahead]
    lines = _rows(summary, table, leads)
    return _overview(summary, lines, ahead, anchors), _overview(summary, lines, [*ahead, *rest], anchors)


def _split(table: pd.DataFrame) -> pd.DataFrame:
    """``primal_gap/ca_small`` is a data set's row of ``primal_gap``, if that is a metric; else a metric of its own."""
    known = set(zip(table["experiment"], table["metric"], strict=True))
    pairs = []
    for experiment, metric in zip(table["experiment"], table["metric"], strict=True):
        base, _, dataset = metric.rpartition("/")
        pairs.append((base, dataset) if (experiment, base) in known else (metric, ""))
    return table.assign(base=[base for base, _ in pairs], dataset=[dataset for _, dataset in pairs])


def _rows(summary: ReportSummary, table: pd.DataFrame, leads: Mapping[Any, list[str]]) -> list[_Row]:
    """By experiment and data set; the method that does best by the first of the metrics ahead."""
    found = []
    for names, block in table.groupby(["paper", "experiment", "dataset"], sort=True):
        paper, experiment, dataset = cast(tuple[str, str, str], names)
        means: dict[str, dict[str, Any]] = {}
        for row in block.to_dict("records"):
            means.setdefault(row["method"], {})[row["base"]] = row
        by = [
            (
                summary.metrics.of(paper, lead),
                {method: of_it[lead]["mean"] for method, of_it in means.items() if lead in of_it},
            )
            for lead in leads.get((paper, experiment), [])
        ]
        methods = best_first(means, by)
        found += [_Row(paper, experiment, dataset, method, means[method]) for method in methods]
    return found


def _overview(
    summary: ReportSummary, rows: Sequence[_Row], metrics: Sequence[Metric], anchors: Anchors
) -> dict[str, Any]:
    names = [metric.name for metric in metrics]
    scales = {name: largest(row.means[name]["mean"] for row in rows if name in row.means) for name in names}
    several = len({row.experiment for row in rows}) > 1, any(row.dataset for row in rows)

    def heads(experiment: str, dataset: str, method: str) -> list[str]:
        return ([experiment] if several[0] else []) + ([dataset] if several[1] else []) + [method]

    def cell(row: _Row, name: str) -> dict[str, Any]:
        of_it = row.means.get(name, {})
        found = {"mean": of_it.get("mean"), "low": of_it.get("ci_low"), "high": of_it.get("ci_high")}
        found["n"] = of_it["n"] if of_it and of_it["n"] != _count(row, names) else None
        return found | {"metric": summary.metrics.of(row.paper, name), "scale": scales[name]}

    lines = [
        {
            "names": heads(row.experiment, row.dataset or "all", row.method),
            "cells": [cell(row, name) for name in names],
            "n": _count(row, names),
            "anchor": anchors.get((row.paper, row.experiment, row.method), "commands"),
        }
        for row in rows
    ]
    return {"heads": heads("experiment", "data set", "method"), "metrics": list(metrics), "rows": lines}


def _count(row: _Row, names: Sequence[str]) -> Any:
    """Of how many values the means of a row are, first of those that come first."""
    return next((row.means[name]["n"] for name in names if name in row.means), None)
