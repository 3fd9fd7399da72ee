"""What ``report.html`` says: verdicts first, then numbers, figures, instances, settings, environment, failures, commands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from runs.claims.agreement import in_words, shown_difference
from runs.claims.metrics import PaperMetrics
from runs.claims.published import Published
from runs.record.in_common import dataset_of
from runs.record.outcomes import FLAGS, outcomes
from runs.record.run_folder import Run
from runs.record.run_record import RunStatus
from runs.record.sweep_folder import Sweep
from runs.record.variants import differing_settings
from runs.report import html
from runs.report.overview import overviews
from runs.report.plots import Plot
from runs.report.summary import ReportSummary
from runs.report.tables import beside_published
from runs.text import printable

MAX_RUNS_WITH_FIGURES = 6
"""Of more runs, each keeps the figures it drew to its own folder."""
MAX_SETTING_TEXT = 80
MAX_LISTED = 4
WIDE_PIXELS = 900


def render_report(
    sweep: Sweep, results: pd.DataFrame, summary: ReportSummary, published: list[Published], plots: list[Plot]
) -> bytes:
    """The page as bytes; see :mod:`runs.report.html` for what it promises."""
    lost = [run for run in sweep.runs if not run.usable]
    commands = _commands(sweep.runs)
    anchors = {
        (c["run"].paper, c["run"].experiment, name): c["anchor"]
        for c in reversed(commands)
        for name in c["run"].methods
    }
    overview, all_metrics = overviews(summary, anchors)
    figures = [_figure(plot.title, plot.png, chart=True) for plot in plots]
    run_figures = _run_figures(sweep, plots)
    instances = html.data_table(_instance_table(sweep, results, summary.metrics), "Results per instance")
    differences = _differences(sweep.runs)
    there = [
        ("verdicts", "Verdicts", bool(summary.judgements)),
        ("numbers", "Numbers", True),
        ("figures", "Figures", bool(figures or run_figures)),
        ("instances", "Instances", bool(instances["total"])),
        ("settings", "Settings", bool(differences["total"])),
        ("environment", "Environment", True),
        ("jobs", "Jobs without a result", bool(lost)),
        ("commands", "Commands", True),
    ]
    running = sum(run.status == RunStatus.RUNNING for run in sweep.runs)
    return html.render(
        "report.html",
        title=", ".join(f"{paper}/{name}" for paper, name in sweep.experiments) or sweep.folder.name,
        contents=[(anchor, name) for anchor, name, shown in there if shown],
        counts={
            "all": len(sweep.runs),
            "finished": len(sweep.usable),
            "running": running,
            "lost": len(lost) - running,
        },
        problems=[*(f"never began: {job}" for job in sweep.not_begun), *summary.lost_instances, *summary.problems],
        judgements=html.claim_rows(summary.judgements, summary.metrics),
        overview=overview,
        all_metrics=all_metrics,
        level="95 %",
        found=summary.found,
        files=[_link(path, sweep.folder) for path in summary.files],
        notes=summary.notes,
        published=_published(results, summary, published),
        figures=figures,
        run_figures=run_figures,
        single=sweep.is_single_run,
        instances=instances,
        differences=differences,
        environment=_environment(sweep.runs),
        jobs=lost,
        sweep_command=sweep.command,
        rebuild=shlex.join(["python", "-m", "runs.report", _relative(sweep.folder)]),
        commands=commands,
    )


def _published(results: pd.DataFrame, summary: ReportSummary, published: list[Published]) -> dict[str, Any]:
    tested = {(item.entry, item.experiment): item for item in summary.agreements if item.tested}
    found: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    for entry, row in beside_published(results, summary.table, [entry for entry in published if entry.metric]):
        ours = None if row is None else row.to_dict()
        line = {"entry": entry, "metric": summary.metrics.of(entry.paper, entry.metric), "ours": ours}
        line["test"] = tested.get((entry, ours["experiment"])) if ours else None
        (found if ours else rest).append(line)
    shown = shown_difference(summary.agreements)
    return {
        "found": found,
        "rest": rest,
        "words": in_words(summary.agreements, shown) if shown else "",
        "unread": [entry for entry in published if not entry.metric],
    }


def _run_figures(sweep: Sweep, plots: list[Plot]) -> list[dict[str, Any]]:
    """The figures that the runs drew themselves, where there are few runs."""
    if len(sweep.usable) > MAX_RUNS_WITH_FIGURES:
        return []
    own = {f"{plot.name}.png" for plot in plots} if sweep.is_single_run else set()
    paths = [(run, path) for run in sweep.usable for path in sorted((run.folder / "figures").glob("*.png"))]
    paths = [(run, path) for run, path in paths if path.name not in own]
    return [_figure(f"{path.stem}: {run.method}, seed {run.seed}", path.read_bytes()) for run, path in paths]


def _link(path: Path, folder: Path) -> dict[str, str]:
    """A file beside the page: its name, and where the page finds it."""
    relative = path.relative_to(folder).as_posix()
    return {"name": printable(relative), "href": quote(relative)}


def _figure(title: str, png: bytes, chart: bool = False) -> dict[str, Any]:
    """An image with its place on the page; a chart may be turned dark, a picture keeps its colours."""
    pixels = int.from_bytes(png[16:20], "big")  # the width in a PNG's header
    kinds = (["chart"] if chart else []) + (["wide"] if pixels > WIDE_PIXELS else [])
    return {"title": title, "image": html.data_uri(png), "kinds": " ".join(kinds)}


def _instance_table(sweep: Sweep, results: pd.DataFrame, metrics: PaperMetrics) -> pd.DataFrame:
    """A row per method, instance and seed: how a search ended, in a word, and a column per metric, in its unit."""
    keys = ["experiment", "method", "instance", "seed"]
    lost = [
        (run.experiment, run.method, name, run.seed)
        for (name, _), runs in sweep.instance_errors.items()
        for run in runs
    ]
    if results.empty and not lost:
        return pd.DataFrame()
    shown = metrics.shown(zip(results["paper"], results["metric"], strict=True))
    wide = results.drop_duplicates([*keys, "metric"]).set_index([*keys, "metric"])["value"].unstack("metric")
    wide = wide[list(shown)].mul([metric.factor for metric in shown.values()]).reset_index()
    wide.columns.name = None
    ended = outcomes(results)
    if len(ended) or lost:
        status = [ended[[*keys, "status"]], pd.DataFrame(lost, columns=keys).assign(status="no result")]
        wide = wide.drop(columns=[*FLAGS], errors="ignore").merge(pd.concat(status), on=keys, how="outer")
        wide.insert(len(keys), "status", wide.pop("status").fillna(""))
    if wide["experiment"].nunique() == 1:
        wide = wide.drop(columns="experiment")
    datasets = wide["instance"].map(dataset_of)
    if datasets.nunique() > 1:
        wide.insert(int(wide.columns.get_loc("instance")), "data set", datasets)  # type: ignore[arg-type]
    titles = [metric.title for metric in shown.values()]
    return wide.rename(columns={n: metric.title for n, metric in shown.items() if titles.count(metric.title) == 1})


def _differences(runs: list[Run]) -> dict[str, Any]:
    runs = [run for run in runs if run.config]
    columns = differing_settings(runs)
    if not columns:
        return html.data_table(pd.DataFrame(), "")
    table = {"run": [run.folder.name for run in runs]}
    table |= {key: [_short(value) for value in values] for key, values in columns.items()}
    return html.data_table(pd.DataFrame(table), "Settings that differ between the runs")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str) if value != [] else "none"
    return text if len(text) <= MAX_SETTING_TEXT else text[: MAX_SETTING_TEXT - 1] + "…"


def _environment(runs: list[Run]) -> dict[str, Any]:
    about = [run.environment for run in runs if run.environment]
    facts = []
    for name in ("revision", "python"):
        if found := html.distinct(item[name] for item in about if item.get(name)):
            facts.append((name, found))
    hardware = [item["hardware"] for item in about if isinstance(item.get("hardware"), dict)]
    for name in sorted({key for item in hardware for key in item}):
        facts.append((name.replace("_", " "), html.distinct(_short(item.get(name)) for item in hardware)))
    if started := sorted(str(item["started"]) for item in about if item.get("started")):
        facts.append(
            ("started", [(f"{started[0]} to {started[-1]}" if len(started) > 1 else started[0], len(started))])
        )
    listed = [item["packages"] for item in about if isinstance(item.get("packages"), dict)]
    packages = sorted({f"{name} {version}" for item in listed for name, version in item.items()}, key=str.lower)
    return {"facts": facts, "packages": packages}


def _commands(runs: list[Run]) -> list[dict[str, Any]]:
    """Every run with the methods and seeds of its rows, sorted by method, and the anchor that the overview points to."""
    ordered = sorted(runs, key=lambda run: (run.paper, run.experiment, run.method, run.dataset, run.seed))
    return [
        {
            "run": run,
            "anchor": f"runs-{number}",
            "methods": _listed(sorted(run.methods) or [run.method], "methods"),
            "seeds": _listed(run.seeds, "seeds"),
        }
        for number, run in enumerate(ordered)
    ]


def _listed(values: Sequence[Any], what: str) -> str:
    """All values where they are few, else the first and how many there are."""
    if len(values) <= MAX_LISTED:
        return ", ".join(str(value) for value in values)
    return f"{values[0]} and {len(values) - 1} more {what}"


def _relative(folder: Path) -> str:
    """A folder as one would type it: relative to where one is, if it lies below."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
