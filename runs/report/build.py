"""The report of a sweep or a run, rebuilt from the run records alone: ``python -m runs.report FOLDER``.

It leaves ``report.html``, ``report.csv``, ``claims.csv``, ``results.parquet`` and ``figures/*.png`` in the folder, and
``published.csv`` where some of its numbers have been published.
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

from runs.anytime import Clock
from runs.claims.agreement import PUBLISHED_COLUMNS, Agreement, agreements
from runs.claims.claim import Claim, load_claims
from runs.claims.published import CONF, Published, load_published
from runs.claims.verdicts import Judgement, evaluate, to_frame
from runs.errors import ConfigError, RepriseError
from runs.files import atomic_write
from runs.record.instances import write_parquet
from runs.record.outcomes import contradictions, outcomes
from runs.record.run_folder import Run
from runs.record.run_record import RunStatus
from runs.record.searches import ANYTIME_METRICS, Searches, with_anytime_metrics
from runs.record.sweep_folder import Sweep, load
from runs.report.page import render_report
from runs.report.plots import Plot, metric_plots, search_plots
from runs.report.summary import SUMMARY, as_text, print_to_terminal
from runs.report.tables import summarise

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
    agreements
        The published numbers with a counterpart in the sweep, tested where possible; the rows of ``published.csv``.
    named
        Metrics that published numbers or claims of the paper speak of, those of this sweep's first.
    failed
        Runs that failed, were killed or cannot be read, each with its cause.
    running
        Runs that are still at work.
    outcomes
        How each search ended, a row each (:func:`runs.record.outcomes.outcomes`).
    lost_instances
        Instances without a result in runs that finished nevertheless, each with its cause, in words.
    problems
        What else is wrong, in words: methods that contradict each other, runs that warn, a file of claims that breaks its
        format.
    clock
        What the budget of the searches counts.
    html, figures
        Where the page and the pictures are.
    """

    table: pd.DataFrame
    judgements: list[Judgement]
    agreements: list[Agreement]
    named: list[str]
    failed: list[Run]
    running: list[Run]
    outcomes: pd.DataFrame
    clock: Clock
    lost_instances: list[str]
    problems: list[str]
    html: Path
    figures: list[Path]

    @property
    def whole(self) -> bool:
        """True if no run and no instance is without a result."""
        return not self.failed and not self.lost_instances


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
        summary = _build(load(folder), conf)
        atomic_write(folder / SUMMARY, as_text(summary).encode())
        return summary


def _build(sweep: Sweep, conf: Path) -> ReportSummary:
    searches = Searches.of(sweep)
    results = with_anytime_metrics(sweep.results, searches)
    ended = outcomes(sweep.results)
    lost_instances = _lost_instances(sweep)
    problems = [*contradictions(ended), *_warnings(sweep)]
    published: list[Published] = []
    claims: list[Claim] = []
    for paper in sorted({paper for paper, _ in sweep.experiments}):
        where = _configuration_of(paper, sweep, conf)
        published += _tolerant(load_published, paper, where, problems)
        claims += _tolerant(load_claims, paper, where, problems)
    table = summarise(results, published)
    agreeing = agreements(results, published)
    judgements = [
        judgement
        for paper, name in sweep.experiments
        for judgement in evaluate(sweep, claims, f"{paper}/{name}", searches, published)
    ]
    decided = [*(found.entry.metric for found in agreeing), *(judgement.claim.metric for judgement in judgements)]
    named = list(dict.fromkeys([*decided, *(claim.metric for claim in claims), *(entry.metric for entry in published)]))
    plots = _plots(sweep, searches, results, named)
    figures = _write_tables(sweep, results, table, judgements, agreeing, plots)
    html = sweep.folder / "report.html"
    page = render_report(sweep, results, table, judgements, published, agreeing, plots, [*lost_instances, *problems])
    atomic_write(html, page)
    return ReportSummary(
        table=table,
        judgements=judgements,
        agreements=agreeing,
        named=named,
        failed=[run for run in sweep.runs if not run.usable and run.status != RunStatus.RUNNING],
        running=[run for run in sweep.runs if run.status == RunStatus.RUNNING],
        outcomes=ended,
        clock=searches.main_clock,
        lost_instances=lost_instances,
        problems=problems,
        html=html,
        figures=figures or (sorted((sweep.folder / "figures").glob("*.png")) if sweep.is_single_run else []),
    )


def _configuration_of(paper: str, sweep: Sweep, conf: Path) -> Path:
    """Where claims and published numbers of a paper are: in the user's own configuration if that has the paper."""
    own = {run.config_dir for run in sweep.usable if run.paper == paper and run.config_dir}
    return next((folder for folder in sorted(own) if (folder / "experiment" / paper / "claims.yaml").exists()), conf)


def _lost_instances(sweep: Sweep) -> list[str]:
    """One line per instance and cause, with the methods it concerns unless these are all."""
    lines = []
    for (name, cause), runs in sweep.instance_errors.items():
        whose = "" if len(runs) == len(sweep.usable) else f" by {', '.join(sorted({run.method for run in runs}))}"
        lines.append(f"no result for {name}{whose}: {cause}")
    return lines


def _warnings(sweep: Sweep) -> list[str]:
    """One line per method with a run that warns: how many do, and the first warning."""
    lines = []
    for method in sorted({run.method for run in sweep.usable}):
        runs = [run for run in sweep.usable if run.method == method]
        warned = [run.warning for run in runs if run.warning]
        if warned:
            lines.append(f"{method}, {len(warned)} of {len(runs)} runs: {warned[0]}")
    return lines


def _tolerant(read: Callable[[str, Path], list[T]], paper: str, conf: Path, problems: list[str]) -> list[T]:
    """A bad file of claims is named in the report; it does not cost the user the report."""
    try:
        return read(paper, conf)
    except ConfigError as error:
        problems.append(str(error))
        return []


def _plots(sweep: Sweep, searches: Searches, results: pd.DataFrame, named: list[str]) -> list[Plot]:
    """Curves where there are searches to compare, and with them only those metrics that claims or published numbers name."""
    if all(run.traces is None for run in sweep.usable):
        return list(metric_plots(sweep, results, named))
    curves = search_plots(searches.comparable) if len(searches.comparable) else ()
    return [*curves, *metric_plots(sweep, results, [m for m in named if m not in ANYTIME_METRICS], named_only=True)]


def _write_tables(
    sweep: Sweep,
    results: pd.DataFrame,
    table: pd.DataFrame,
    judgements: list[Judgement],
    agreeing: list[Agreement],
    plots: list[Plot],
) -> list[Path]:
    """Everything but the page. A single run's own ``results.parquet`` is its record and stays as it is."""
    folder = sweep.folder
    atomic_write(folder / "report.csv", table.to_csv(index=False).encode())
    atomic_write(folder / "claims.csv", to_frame(judgements).to_csv(index=False).encode())
    if agreeing:
        rows = pd.DataFrame([agreement.row() for agreement in agreeing], columns=PUBLISHED_COLUMNS)
        atomic_write(folder / "published.csv", rows.to_csv(index=False).encode())
    if not sweep.is_single_run:
        write_parquet(folder / "results.parquet", results)
    figures = []
    for plot in plots:
        figures.append(folder / "figures" / f"{plot.name}.png")
        atomic_write(figures[-1], plot.png)
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m runs.report``: 0 built; 1 built, but a run or an instance has no result; 2 nothing to build."""
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
    print_to_terminal(summary)
    return 0 if summary.whole else 1
