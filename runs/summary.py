"""The summary that ends a sweep, on the terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runs.page import NONE, claim_rows, interval, quantity
from runs.searches import ANYTIME_METRICS

if TYPE_CHECKING:
    from runs.report import ReportSummary

SEARCH_COLUMNS = {
    "primal_gap": "final primal gap",
    "primal_integral": "primal integral",
    "best_performing_rate": "wins",
}
MAX_METRICS = 5
MAX_LINES = 20
_STYLE = {"reproduced": "green", "contradicted": "red", "inconclusive": "yellow"}


def print_to_terminal(summary: ReportSummary) -> None:
    """Print table, verdicts, lost runs and the paths of the figures and the page."""
    console = Console(soft_wrap=True)
    for (paper, experiment), rows in summary.table.groupby(["paper", "experiment"], sort=True):
        console.print(_table(f"{paper}/{experiment}", rows))
    for row in claim_rows(summary.judgements):
        style = _STYLE[row["status"]]
        numbers = f"effect {row['effect']} {row['interval']}, p {row['p_value']}, n {row['n']}"
        detail = numbers if row["n"] else row["reason"]
        console.print(f"[{style}]{row['status']}[/{style}]  {escape(row['claim'].statement)} ({escape(detail)})")
    for problem in summary.problems[:MAX_LINES]:
        console.print(f"[red]problem[/red]  {escape(problem)}")
    if len(summary.problems) > MAX_LINES:
        console.print(f"and {len(summary.problems) - MAX_LINES} more problems, all named in the report")
    lost = [*summary.failed, *summary.running]
    for run in lost[:MAX_LINES]:
        console.print(f"[red]{run.state}[/red]  {escape(run.folder.name)}: {escape(run.cause[:300])}")
    if len(lost) > MAX_LINES:
        console.print(f"and {len(lost) - MAX_LINES} more, all named in the report")
    for figure in summary.figures:
        console.print(f"figure: {escape(_shown(figure))}", highlight=False)
    console.print(f"report: {escape(_shown(summary.html))}", highlight=False)


def _table(title: str, rows: pd.DataFrame) -> Table:
    """Methods by what matters most, best first where there is a primal gap."""
    metrics = _chosen(set(rows["metric"]))
    table = Table(title=escape(title), title_justify="left")
    table.add_column("method", overflow="fold")
    for metric in metrics:
        base, _, dataset = metric.partition("/")
        name = SEARCH_COLUMNS.get(base)
        table.add_column(escape(f"{name} {dataset}".strip() if name else metric), justify="right")
    cells = {(row["method"], row["metric"]): row for row in rows.to_dict("records")}
    methods = sorted(set(rows["method"]))
    if "primal_gap" in metrics:
        methods.sort(key=lambda method: cells[method, "primal_gap"]["mean"] if (method, "primal_gap") in cells else 2.0)
    for method in methods:
        table.add_row(escape(method), *(_cell(cells.get((method, metric))) for metric in metrics))
    return table


def _chosen(metrics: set[str]) -> list[str]:
    if searches := [metric for metric in SEARCH_COLUMNS if metric in metrics]:
        return searches
    whole = sorted(metric for metric in metrics if metric.rpartition("/")[0] not in metrics)
    return [metric for metric in whole if metric not in ANYTIME_METRICS][:MAX_METRICS]


def _cell(row: dict | None) -> str:
    if row is None:
        return NONE
    bounds = interval(row["ci_low"], row["ci_high"], row["metric"])
    return escape(f"{quantity(row['mean'], row['metric'], row['unit'])}\n{bounds}".strip())


def _shown(path: Path) -> str:
    """A path as one would type it here."""
    try:
        return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    except OSError:
        return str(path)
