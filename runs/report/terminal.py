"""The summary that ends a sweep, on the terminal."""

from __future__ import annotations

import io
import os
import textwrap
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runs.claims.agreement import in_words, shown_difference
from runs.claims.metric import Metric
from runs.claims.metrics import Metrics, whole
from runs.claims.number_format import NONE, largest, number
from runs.record.outcomes import Outcome
from runs.record.run_folder import Run
from runs.report.console import Terminal
from runs.report.html import claim_rows
from runs.report.order import best_first, leading
from runs.report.summary import ReportSummary
from runs.report.tables import by_experiment

SUMMARY = "summary.txt"
"""What the terminal was told, beside the report."""
MAX_METRICS = 8
MAX_LISTED = 60
MAX_LINES = 20
MAX_CAUSE = 300
MAX_FIGURES = 3
MAX_INSTANCES = 30
MAX_METHODS = 6
OBJECTIVE_DIGITS = 8
COUNT_WIDTH = 8
METHOD_WIDTH = 14
"""The least that is left to the names of the methods, with the frame around them."""
_STYLE = {"reproduced": "green", "contradicted": "red", "inconclusive": "yellow"}


def as_text(summary: ReportSummary) -> str:
    """The summary without colours, 120 columns wide."""
    text = io.StringIO()
    print_to_terminal(summary, Terminal(file=text, width=120))
    return text.getvalue()


def print_to_terminal(summary: ReportSummary, console: Console | None = None) -> None:
    """Print table, verdicts, lost runs and the paths of the figures and the page."""
    console = console or Terminal()
    for paper, experiment, rows in by_experiment(summary.table):
        title, metrics = f"{paper}/{experiment}", summary.metrics[paper]
        lead = leading(metrics, experiment, set(rows["metric"]), summary.clock, summary.first)
        several = rows["method"].nunique() > 1
        console.print(
            _table(title, rows, metrics, lead, console.width) if several else _list(title, rows, metrics, lead)
        )
    for line in [*summary.found[:MAX_LINES], *summary.notes[:MAX_LINES]]:
        console.print(escape(line), highlight=False)
    if len(summary.outcomes) or summary.lost_instances:
        _print_outcomes(console, summary)
    for row in claim_rows(summary.judgements, summary.metrics):
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
        told = cause if state == "corrupt" else cause[:MAX_CAUSE]  # that of a damaged record ends in a command
        console.print(f"[red]{state}[/red]  {escape(', '.join(names))}: {escape(told)}")
    if len(lost) > MAX_LINES:
        console.print(f"and {len(lost) - MAX_LINES} more causes, all named in the report")
    for file in summary.files[:MAX_FIGURES]:
        console.print(f"file: {escape(_shown(file))}", highlight=False)
    place = {metric: position for position, metric in enumerate(summary.first)}
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


def _table(title: str, rows: pd.DataFrame, metrics: Metrics, shown: list[str], width: int) -> Table:
    """Methods by the metrics that come first, the best by the first of them ahead, ties by the next.

    Where there are many or the terminal is narrow, names are broken into lines and the last metrics left out; no number is
    ever broken.
    """
    found = {(row["method"], row["metric"]): row for row in rows.to_dict("records")}
    by = [
        (metrics.of(name), {method: row["mean"] for (method, metric), row in found.items() if metric == name})
        for name in shown
    ]
    methods = best_first(set(rows["method"]), by)
    table = Table(title=escape(title), title_justify="left")
    table.add_column("method", overflow="fold")
    columns: list[list[str]] = []
    room = width - METHOD_WIDTH - COUNT_WIDTH
    fair = (width - min(max(map(cell_len, methods)) + 4, width // 3)) // max(min(len(shown), MAX_METRICS), 1) - 3
    for name in shown[:MAX_METRICS]:
        metric = metrics.of(name)
        scale = largest(found[method, name]["mean"] for method in methods if (method, name) in found)
        cells = [_cell(found.get((method, name)), metric, scale) for method in methods]
        widest = max(cell_len(line) for cell in cells for line in cell.split("\n"))
        room -= widest + 3
        if columns and room < 0:
            break
        table.add_column(
            escape(_broken(metric.label, max(widest, fair))), justify="right", overflow="fold", min_width=widest
        )
        columns.append(cells)
    counts = [found[method, shown[0]]["n"] if (method, shown[0]) in found else None for method in methods]
    table.add_column("n", justify="right")
    for method, count, *cells in zip(methods, counts, *columns, strict=True):
        table.add_row(escape(method), *(escape(cell) for cell in cells), number(count))
    table.caption = _left_out(rows, len(columns))
    return table


def _list(title: str, rows: pd.DataFrame, metrics: Metrics, shown: list[str]) -> Table:
    """The metrics of a method that has no rival, one below the other: those that come first, then whatever is declared."""
    found = {row["metric"]: row for row in rows.to_dict("records")}
    rest = [name for name in metrics.ordered(whole(found)) if name not in shown and metrics.of(name).declared]
    table = Table(title=escape(title), title_justify="left")
    table.add_column("metric", overflow="fold")
    table.add_column(escape(rows["method"].iloc[0]), justify="right")
    listed = [*shown, *rest][:MAX_LISTED]
    for name in listed:
        metric = metrics.of(name)
        cell = _cell(found[name], metric, found[name]["mean"]).replace("\n", " ")
        table.add_row(escape(metric.label), escape(cell))
    table.caption = _left_out(rows, len(listed))
    return table


def _left_out(rows: pd.DataFrame, shown: int) -> str | None:
    more = len(whole(set(rows["metric"]))) - shown
    return f"and {more} more metrics in the report" if more > 0 else None


def _broken(name: str, width: int) -> str:
    """A name in lines of at most ``width``, broken after underscores if it can be."""
    lines = textwrap.wrap(name.replace("_", "_ "), width, break_on_hyphens=False)
    return "\n".join(line.replace("_ ", "_") for line in lines)


def _cell(row: dict | None, metric: Metric, scale: float) -> str:
    if row is None:
        return NONE
    return f"{metric.quantity(row['mean'], scale)}\n{metric.interval(row['ci_low'], row['ci_high'], scale)}".strip()


def _shown(path: Path) -> str:
    """A path as one would type it here."""
    try:
        return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    except OSError:
        return str(path)
