"""The report of a sweep or a run, rebuilt from the run records alone: ``python -m runs.report FOLDER``.

It leaves ``report.html``, ``report.csv``, ``claims.csv``, ``results.parquet`` and ``figures/*.png`` in the folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd
from filelock import FileLock

from runs.claims import Claim, Judgement, evaluate, load_claims, to_frame
from runs.errors import ConfigError, RepriseError
from runs.files import atomic_write
from runs.instances import write_parquet
from runs.plots import Plot, metric_plots, search_plots
from runs.published import CONF, Published, load_published
from runs.record import RunStatus
from runs.report_page import render_report
from runs.results import Run, Sweep, load
from runs.searches import ANYTIME_METRICS, Searches, with_anytime_metrics
from runs.tables import summarise

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ReportSummary:
    """What a report found.

    Parameters
    ----------
    table
        The rows of ``report.csv``.
    judgements
        The claims that the sweep decides, with their verdicts.
    failed
        Runs that failed, were killed or cannot be read, each with its cause.
    running
        Runs that are still at work.
    problems
        What else is wrong, in words: an instance without a result, a file of claims that breaks its format.
    html, figures
        Where the page and the pictures are.
    """

    table: pd.DataFrame
    judgements: list[Judgement]
    failed: list[Run]
    running: list[Run]
    problems: list[str]
    html: Path
    figures: list[Path]


def build(folder: Path | str, conf: Path = CONF) -> ReportSummary:
    """Rebuild every file of the report; two at once wait for each other.

    Raises
    ------
    ConfigError
        ``folder`` is absent or holds no run record.
    OSError
        The folder cannot be written to.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder; give the folder of a sweep or of a run")
    with FileLock(folder / ".report.lock", is_singleton=False):
        return _build(load(folder), conf)


def _build(sweep: Sweep, conf: Path) -> ReportSummary:
    searches = Searches.of(sweep)
    results = with_anytime_metrics(sweep.results, searches)
    problems = sweep.instance_errors
    published: list[Published] = []
    claims: list[Claim] = []
    for paper in sorted({paper for paper, _ in sweep.experiments}):
        published += _tolerant(load_published, paper, conf, problems)
        claims += _tolerant(load_claims, paper, conf, problems)
    table = summarise(results, published)
    judgements = [j for paper, name in sweep.experiments for j in evaluate(sweep, claims, f"{paper}/{name}", searches)]
    plots = _plots(sweep, searches, results, {claim.metric for claim in claims} | {p.metric for p in published})
    figures = _write_tables(sweep, results, table, judgements, plots)
    html = sweep.folder / "report.html"
    atomic_write(html, render_report(sweep, results, table, judgements, published, plots, problems))
    return ReportSummary(
        table=table,
        judgements=judgements,
        failed=[run for run in sweep.runs if not run.usable and run.status != RunStatus.RUNNING],
        running=[run for run in sweep.runs if run.status == RunStatus.RUNNING],
        problems=problems,
        html=html,
        figures=figures,
    )


def _tolerant(read: Callable[[str, Path], list[T]], paper: str, conf: Path, problems: list[str]) -> list[T]:
    """A bad file of claims is named in the report; it does not cost the user the report."""
    try:
        return read(paper, conf)
    except ConfigError as error:
        problems.append(str(error))
        return []


def _plots(sweep: Sweep, searches: Searches, results: pd.DataFrame, named: set[str]) -> list[Plot]:
    """Curves where there are searches, and with them only those metrics that a claim or a published number names."""
    if not len(searches):
        return list(metric_plots(sweep, results))
    return [*search_plots(searches), *metric_plots(sweep, results, named - set(ANYTIME_METRICS))]


def _write_tables(
    sweep: Sweep, results: pd.DataFrame, table: pd.DataFrame, judgements: list[Judgement], plots: list[Plot]
) -> list[Path]:
    """Everything but the page. A single run's own ``results.parquet`` is its record and stays as it is."""
    folder = sweep.folder
    atomic_write(folder / "report.csv", table.to_csv(index=False).encode())
    atomic_write(folder / "claims.csv", to_frame(judgements).to_csv(index=False).encode())
    if not sweep.is_single_run:
        write_parquet(folder / "results.parquet", results)
    figures = []
    for plot in plots:
        figures.append(folder / "figures" / f"{plot.name}.png")
        atomic_write(figures[-1], plot.png)
    return figures


def print_summary(summary: ReportSummary) -> None:
    """Print the table, the verdicts, what failed, and where the files are."""
    from runs.summary import print_to_terminal

    print_to_terminal(summary)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m runs.report``. 0: built; 1: built, but a run has no result; 2: nothing to build."""
    parser = argparse.ArgumentParser(
        prog="python -m runs.report", description="Rebuild the report of a sweep or a run."
    )
    parser.add_argument("folder", type=Path, help="folder of a sweep or of a run")
    try:
        summary = build(parser.parse_args(arguments).folder)
    except RepriseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or 'file system'}: {error.strerror or error}", file=sys.stderr)
        return 2
    print_summary(summary)
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())
