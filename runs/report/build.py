"""The report of a sweep or a run, rebuilt from the run records alone: ``python -m runs.report FOLDER``.

It leaves ``report.html``, ``report.csv``, ``claims.csv``, ``results.parquet`` and ``figures/*.png`` in the folder, and
``published.csv`` where some of its numbers have been published.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from filelock import FileLock

from runs.anytime import Clock
from runs.claims.agreement import PUBLISHED_COLUMNS, Agreement, agreements
from runs.claims.blocks import left_out
from runs.claims.metrics import PaperMetrics
from runs.claims.verdicts import Judgement, evaluate, to_frame
from runs.environment import CONF
from runs.errors import ConfigError, RepriseError
from runs.files import atomic_write
from runs.record.instances import write_parquet
from runs.record.kept_files import kept_files, told
from runs.record.outcomes import contradictions, outcomes
from runs.record.run_record import RunStatus
from runs.record.searches import ANYTIME_METRICS, Searches, with_anytime_metrics
from runs.record.sweep_folder import Sweep, load
from runs.report.declared import Declared
from runs.report.order import leading
from runs.report.overview import MAX_LEADING
from runs.report.page import MAX_RUNS_WITH_FIGURES, render_report
from runs.report.plots import Plot, curve_plots, metric_plots, swept_setting
from runs.report.summary import ReportSummary
from runs.report.tables import by_experiment, summarise
from runs.report.terminal import SUMMARY, as_text, print_to_terminal
from runs.text import one_line


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
    declared = Declared.of(sweep, conf)
    metrics, published = declared.metrics, declared.published
    results = metrics.with_ratios(results)
    lost_instances = _lost_instances(sweep)
    problems = [
        *contradictions(ended, searches.senses),
        *_mixed_code(sweep),
        *_warnings(sweep),
        *_of_the_records(sweep),
        *declared.problems,
    ]
    table = summarise(results, published, metrics, searches.senses)
    agreeing = agreements(results, published, metrics, senses=searches.senses)
    judgements = [
        judgement
        for paper, name in sweep.experiments
        for judgement in evaluate(sweep, declared.claims, f"{paper}/{name}", searches, published, metrics)
    ]
    decided = [*(found.metric.name for found in agreeing), *(judgement.claim.metric for judgement in judgements)]
    named = [
        *decided,
        *(claim.metric for claim in declared.claims),
        *(entry.metric for entry in published if entry.metric),
    ]
    headlines = _headlines(table, metrics, searches.main_clock)
    first = list(dict.fromkeys([*headlines, *named]))
    plots = _plots(sweep, searches, results, metrics, first, headlines, named)
    figures = _write_tables(sweep, results, table, judgements, agreeing, plots)
    html = sweep.folder / "report.html"
    few = sweep.usable if len(sweep.usable) <= MAX_RUNS_WITH_FIGURES else []
    summary = ReportSummary(
        table=table,
        judgements=judgements,
        agreements=agreeing,
        metrics=metrics,
        first=first,
        failed=[run for run in sweep.runs if not run.usable and run.status != RunStatus.RUNNING],
        running=[run for run in sweep.runs if run.status == RunStatus.RUNNING],
        outcomes=ended,
        clock=searches.main_clock,
        lost_instances=lost_instances,
        problems=problems,
        found=[line if len(few) == 1 else f"{run.method}: {line}" for run in few for line in told(run.folder)],
        files=[path for run in few for path in kept_files(run.folder)],
        notes=_notes(results, table, searches, metrics, first),
        html=html,
        figures=figures or (sorted((sweep.folder / "figures").glob("*.png")) if sweep.is_single_run else []),
    )
    atomic_write(html, render_report(sweep, results, summary, published, plots))
    return summary


def _headlines(table: pd.DataFrame, metrics: PaperMetrics, clock: Clock) -> list[str]:
    """The declared headlines of all experiments."""
    return [
        name
        for paper, experiment, rows in by_experiment(table)
        for name in metrics[paper].headline(experiment, set(rows["metric"]), clock)
    ]


def _notes(
    results: pd.DataFrame, table: pd.DataFrame, searches: Searches, metrics: PaperMetrics, first: Sequence[str]
) -> list[str]:
    """What the gaps are against, and what the means of the metrics that come first do not cover."""
    shown = {
        name
        for paper, experiment, rows in by_experiment(table)
        for name in leading(metrics[paper], experiment, set(rows["metric"]), searches.main_clock, first)[:MAX_LEADING]
    }
    shown |= {
        name
        for paper, name in zip(results["paper"], results["metric"], strict=True)
        if metrics.of(paper, name).per_instance
    }
    return [*searches.references, *left_out(results, metrics, searches.senses, shown)]


def _lost_instances(sweep: Sweep) -> list[str]:
    """One line per instance and cause, with the methods it concerns unless these are all."""
    lines = []
    for (name, cause), runs in sweep.instance_errors.items():
        whose = "" if len(runs) == len(sweep.usable) else f" by {', '.join(sorted({run.method for run in runs}))}"
        lines.append(f"no result for {name}{whose}: {cause}")
    return lines


def _mixed_code(sweep: Sweep) -> list[str]:
    """One line if the runs were made by more than one state of the project's code, each with its number of runs."""
    made_by = [run.environment for run in sweep.usable if run.environment.get("code")]
    runs = Counter(str(about["code"]) for about in made_by)
    if len(runs) < 2:
        return []
    revision = {str(about["code"]): str(about.get("revision"))[:16] for about in made_by}
    told = ", ".join(f"{number} of {revision[code]} (code {code[:6]})" for code, number in runs.most_common())
    return [f"these runs were made by {len(runs)} states of the code: {told}; force=true makes them anew by one"]


def _warnings(sweep: Sweep) -> list[str]:
    """One line per method with a run that warns: how many do, and the first warning."""
    lines = []
    for method in sorted({run.method for run in sweep.usable}):
        runs = [run for run in sweep.usable if run.method == method]
        warned = [run.warning for run in runs if run.warning]
        if warned:
            lines.append(f"{method}, {len(warned)} of {len(runs)} runs: {warned[0]}")
    return lines


def _of_the_records(sweep: Sweep) -> list[str]:
    """What has happened to the records of runs that finished."""
    lines = [f"{run.folder.name}: its config.yaml is not what the run wrote" for run in sweep.runs if run.edited]
    if count := sweep.vanished:
        again = f"; this does what is missing: {sweep.command}" if sweep.command else ""
        lines.append(f"the folders of {count} of {count + len(sweep.runs)} jobs are gone{again}")
    return lines


def _plots(
    sweep: Sweep,
    searches: Searches,
    results: pd.DataFrame,
    metrics: PaperMetrics,
    first: Sequence[str],
    headlines: Sequence[str],
    named: Sequence[str],
) -> list[Plot]:
    """Curves where there are searches to compare, and beside them only metrics that claims or published numbers name.

    Along a setting that the sweep varies the headlines are drawn, too.
    """
    if all(run.traces is None for run in sweep.usable):
        return list(metric_plots(sweep, results, metrics, first, senses=searches.senses))
    drawn = curve_plots(searches.comparable, metrics) if len(searches.comparable) else ()
    only = {name for name in named if name not in ANYTIME_METRICS} | set(headlines if swept_setting(sweep) else ())
    return [*drawn, *metric_plots(sweep, results, metrics, first, only, searches.senses)]


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
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or 'file system'}: {error.strerror or error}", file=sys.stderr)
        return 2
    print_to_terminal(summary)
    return 0 if summary.whole else 1
