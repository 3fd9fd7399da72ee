"""The summary that ends a sweep, on the terminal."""

from __future__ import annotations

import io
import os
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runs.anytime import Clock
from runs.claims.agreement import in_words, shown_difference
from runs.claims.number_format import NONE, interval, largest, number, quantity
from runs.names import natural_order
from runs.record.outcomes import Outcome
from runs.record.searches import ANYTIME_METRICS
from runs.report.html import claim_rows

if TYPE_CHECKING:
    from runs.record.run_folder import Run
    from runs.report.build import ReportSummary

SEARCH_COLUMNS = {
    "primal_gap": "final primal gap",
    "primal_integral": "primal integral",
    "primal_integral_evaluations": "primal integral",
    "best_performing_rate": "wins",
}
ALONE_COLUMNS = {"primal_bound": "objective", "feasible": "solved", "proved": "proved", "seconds": "time"}
"""Of searches without a rival: a gap to their own best would say nothing."""
SUMMARY = "summary.txt"
"""What the terminal was told, beside the report."""
MAX_METRICS = 8
MAX_LISTED = 60
MAX_LINES = 20
MAX_FIGURES = 3
MAX_INSTANCES = 30
MAX_METHODS = 6
OBJECTIVE_DIGITS = 8
METHOD_WIDTH = 14
"""The least that is left to the names of the methods, with the frame around them."""
_STYLE = {"reproduced": "green", "contradicted": "red", "inconclusive": "yellow"}


def as_text(summary: ReportSummary) -> str:
    """The summary without colours, 120 columns wide."""
    text = io.StringIO()
    print_to_terminal(summary, Console(file=text, width=120, soft_wrap=True))
    return text.getvalue()


def print_to_terminal(summary: ReportSummary, console: Console | None = None) -> None:
    """Print table, verdicts, lost runs and the paths of the figures and the page."""
    console = console or Console(soft_wrap=True)
    for (paper, experiment), rows in summary.table.groupby(["paper", "experiment"], sort=True):
        metrics = _chosen(set(rows["metric"]), summary.clock, summary.named)
        alone = rows["method"].nunique() == 1 and not {*SEARCH_COLUMNS, *ALONE_COLUMNS} & {*metrics}
        if alone:
            console.print(_list(f"{paper}/{experiment}", rows, metrics))
        else:
            console.print(_table(f"{paper}/{experiment}", rows, metrics, console.width))
    if len(summary.outcomes) or summary.lost_instances:
        _print_outcomes(console, summary)
    for row in claim_rows(summary.judgements):
        style = _STYLE[row["status"]]
        numbers = f"effect {row['effect']} {row['interval']}, p {row['p_value']}, n {row['n']}"
        detail = row["reason"] if row["claim"].asserts_agreement or not row["n"] else numbers
        console.print(f"[{style}]{row['status']}[/{style}]  {escape(row['claim'].statement)} ({escape(detail)})")
    if (shown := shown_difference(summary.agreements)) is not None:
        console.print(f"published: {escape(in_words(summary.agreements, shown))}", highlight=False)
    problems = [*summary.problems, *summary.lost_instances]
    for problem in problems[:MAX_LINES]:
        console.print(f"[red]problem[/red]  {escape(problem)}")
    if len(problems) > MAX_LINES:
        console.print(f"and {len(problems) - MAX_LINES} more problems, all named in the report")
    lost = _by_cause([*summary.failed, *summary.running])
    for (state, cause), names in list(lost.items())[:MAX_LINES]:
        console.print(f"[red]{state}[/red]  {escape(', '.join(names))}: {escape(cause[:300])}")
    if len(lost) > MAX_LINES:
        console.print(f"and {len(lost) - MAX_LINES} more causes, all named in the report")
    place = {metric: position for position, metric in enumerate(summary.named)}
    for figure in sorted(summary.figures, key=lambda path: place.get(path.stem, len(place)))[:MAX_FIGURES]:
        console.print(f"figure: {escape(_shown(figure))}", highlight=False)
    if len(summary.figures) > MAX_FIGURES:
        console.print(f"and {len(summary.figures) - MAX_FIGURES} more figures in the report", highlight=False)
    console.print(f"report: {escape(_shown(summary.html))}", highlight=False)


def _by_cause(runs: list[Run]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for run in runs:
        found[run.state, run.cause].append(run.folder.name)
    return found


def _print_outcomes(console: Console, summary: ReportSummary) -> None:
    """Objective and status of every instance by method, where that is not too much for a terminal."""
    for (paper, experiment), rows in summary.outcomes.groupby(["paper", "experiment"], sort=True):
        methods, instances = sorted(set(rows["method"])), sorted(set(rows["instance"]))
        if len(methods) > MAX_METHODS or len(instances) > MAX_INSTANCES:
            continue
        seeds = rows["seed"].nunique()
        mean = f", mean of {seeds} seeds" if seeds > 1 else ""
        table = Table(title=escape(f"{paper}/{experiment}: objective and status{mean}"), title_justify="left")
        table.add_column("instance", overflow="fold")
        for method in methods:
            table.add_column(escape(method), justify="right")
        for instance in instances:
            of_instance = rows[rows["instance"] == instance]
            cells = (_outcome(of_instance[of_instance["method"] == method]) for method in methods)
            table.add_row(escape(instance), *(escape(cell) for cell in cells))
        console.print(table)


def _outcome(rows: pd.DataFrame) -> str:
    """``32 optimal``; ``28 feasible, bound 35``; ``infeasible``; a dash where the method left no result."""
    if rows.empty:
        return NONE
    status = " or ".join(sorted(set(rows["status"])))
    if not rows["status"].isin([Outcome.OPTIMAL, Outcome.FEASIBLE]).all():
        return status
    bound = rows["dual_bound"].mean()
    shown = f", bound {number(bound, OBJECTIVE_DIGITS)}" if status == Outcome.FEASIBLE and np.isfinite(bound) else ""
    return f"{number(rows['primal_bound'].mean(), OBJECTIVE_DIGITS)} {status}{shown}"


def _table(title: str, rows: pd.DataFrame, metrics: list[str], width: int) -> Table:
    """Methods by what matters most, best first where there is a primal gap.

    Where there are many or the terminal is narrow, names are broken into lines and the last metrics left out; no number is
    ever broken.
    """
    found = {(row["method"], row["metric"]): row for row in rows.to_dict("records")}
    methods = sorted(set(rows["method"]), key=natural_order)
    if "primal_gap" in metrics:
        methods.sort(key=lambda method: found[method, "primal_gap"]["mean"] if (method, "primal_gap") in found else 2.0)
    table = Table(title=escape(title), title_justify="left")
    table.add_column("method", overflow="fold")
    columns: list[list[str]] = []
    room = width - METHOD_WIDTH
    fair = (width - min(max(map(len, methods)) + 4, width // 3)) // max(min(len(metrics), MAX_METRICS), 1) - 3
    for position, metric in enumerate(metrics):
        base, _, dataset = metric.partition("/")
        name = (SEARCH_COLUMNS | ALONE_COLUMNS).get(base)
        scale = largest(found[method, metric]["mean"] for method in methods if (method, metric) in found)
        cells = [_cell(found.get((method, metric)), scale) for method in methods]
        widest = max(len(line) for cell in cells for line in cell.split("\n"))
        room -= widest + 3
        if columns and (room < 0 or position == MAX_METRICS):
            table.caption = f"and {len(metrics) - position} more metrics in the report"
            break
        header = _broken(f"{name} {dataset}".strip() if name else metric, max(widest, fair))
        table.add_column(escape(header), justify="right", overflow="fold", min_width=widest)
        columns.append(cells)
    for method, *cells in zip(methods, *columns, strict=True):
        table.add_row(escape(method), *(escape(cell) for cell in cells))
    return table


def _list(title: str, rows: pd.DataFrame, metrics: list[str]) -> Table:
    """All metrics of a method that has no rival, one below the other."""
    found = {row["metric"]: row for row in rows.to_dict("records")}
    table = Table(title=escape(title), title_justify="left")
    table.add_column("metric", overflow="fold")
    table.add_column(escape(rows["method"].iloc[0]), justify="right")
    for metric in metrics[:MAX_LISTED]:
        table.add_row(escape(metric), escape(_cell(found[metric], found[metric]["mean"]).replace("\n", " ")))
    if len(metrics) > MAX_LISTED:
        table.caption = f"and {len(metrics) - MAX_LISTED} more metrics in the report"
    return table


def _broken(name: str, width: int) -> str:
    """A name in lines of at most ``width``, broken after underscores if it can be."""
    lines = textwrap.wrap(name.replace("_", "_ "), width, break_on_hyphens=False)
    return "\n".join(line.replace("_ ", "_") for line in lines)


def _chosen(metrics: set[str], clock: Clock, named: list[str]) -> list[str]:
    other = "primal_integral" if clock == "evaluations" else "primal_integral_evaluations"
    if searches := [metric for metric in SEARCH_COLUMNS if metric in metrics and metric != other]:
        return searches
    if "proved" in metrics:
        return [metric for metric in ALONE_COLUMNS if metric in metrics]
    known = [metric for metric in named if metric in metrics]
    whole = known + sorted(m for m in metrics if m.rpartition("/")[0] not in metrics and m not in known)
    return [metric for metric in whole if metric not in ANYTIME_METRICS]


def _cell(row: dict | None, scale: float) -> str:
    if row is None:
        return NONE
    bounds = interval(row["ci_low"], row["ci_high"], row["metric"], scale)
    return f"{quantity(row['mean'], row['metric'], row['unit'], scale)}\n{bounds}".strip()


def _shown(path: Path) -> str:
    """A path as one would type it here."""
    try:
        return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    except OSError:
        return str(path)
