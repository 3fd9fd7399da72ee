"""The ledger of all papers' claims, each judged by the latest finished sweep of its experiment."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml
from filelock import FileLock

from runs.claims.claim import Claim, load_claims
from runs.claims.metrics import PaperMetrics, load_metrics
from runs.claims.published import Published, load_published
from runs.claims.statistics import Interval
from runs.claims.verdicts import Judgement, Verdict, evaluate, to_frame
from runs.environment import COMMAND, CONF
from runs.errors import ConfigError
from runs.files import atomic_write, read_record, safe_yaml
from runs.record.run_record import RunStatus, status
from runs.record.sweep_folder import load
from runs.report import html

_NOT_SEARCHED = {"cache", "instances", "checkpoints", "figures", "wandb"}


@dataclass(frozen=True, eq=False)
class Ledger:
    """Every claim with its verdict, and where the page and the table are."""

    judgements: list[Judgement]
    html: Path
    csv: Path


def build_ledger(outputs: Path, conf: Path = CONF) -> Ledger:
    """Judge every claim below ``conf`` by the sweeps below ``outputs``; write ``claims.html`` and ``claims.csv`` there.

    Raises
    ------
    ConfigError
        A ``claims.yaml``, ``published.yaml`` or ``metrics.yaml`` breaks the format.
    OSError
        ``outputs`` cannot be written to.
    """
    papers = sorted(path.parent.name for path in (conf / "experiment").glob("*/claims.yaml"))
    claims = {paper: load_claims(paper, conf) for paper in papers}
    wanted = {claim.experiment for entries in claims.values() for claim in entries}
    sweeps = latest_sweeps(outputs, wanted)
    metrics = PaperMetrics({paper: load_metrics(paper, conf) for paper in papers})
    published = {paper: load_published(paper, conf, metrics[paper]) for paper in papers}
    judgements = [j for paper in papers for j in _judge_paper(claims[paper], sweeps, published[paper], metrics)]
    ledger = Ledger(judgements, outputs / "claims.html", outputs / "claims.csv")
    outputs.mkdir(parents=True, exist_ok=True)
    with FileLock(outputs / ".claims.lock", is_singleton=False):
        atomic_write(ledger.csv, to_frame(judgements).to_csv(index=False).encode())
        atomic_write(ledger.html, _render(papers, judgements, metrics, sweeps, outputs))
    return ledger


def latest_sweeps(outputs: Path, experiments: set[str]) -> dict[str, Path]:
    """The latest folder of each experiment with finished runs.

    A sweep beats a folder of single runs, and a complete sweep a newer partial one.
    """
    found: dict[tuple[str, Path], list[tuple[bool, float]]] = defaultdict(list)
    for folder in _run_folders(outputs):
        experiment = _experiment_of(folder)
        if experiment in experiments:
            done = status(folder) == RunStatus.FINISHED
            found[experiment, folder.parent].append((done, (folder / "metrics.json").stat().st_mtime if done else 0.0))
    chosen: dict[str, tuple[bool, bool, float, Path]] = {}
    for (experiment, parent), runs in found.items():
        if any(done for done, _ in runs):
            about = read_record(parent / "sweep.json")
            jobs = about.get("jobs")
            whole = all(done for done, _ in runs) and len(runs) >= (jobs if isinstance(jobs, int) else 0)
            candidate = bool(about), whole, max(time for _, time in runs), parent
            chosen[experiment] = max(chosen.get(experiment, candidate), candidate)
    return {experiment: folder for experiment, (*_, folder) in chosen.items()}


def command_of(experiment: str) -> str:
    """The command that makes the sweep of a claim."""
    return f"{' '.join(COMMAND)} experiment={experiment}"


def _judge_paper(
    claims: list[Claim], sweeps: dict[str, Path], published: list[Published], metrics: PaperMetrics
) -> Iterator[Judgement]:
    """The claims of a paper in the order of its file."""
    judged: dict[str, Judgement] = {}
    for experiment in {claim.experiment for claim in claims} & set(sweeps):
        try:
            sweep = load(sweeps[experiment])
            found = evaluate(sweep, claims, experiment, published=published, metrics=metrics)
            judged |= {judgement.claim.id: judgement for judgement in found}
        except ConfigError as error:
            missing = [claim for claim in claims if claim.experiment == experiment]
            judged |= {claim.id: _without(claim, Verdict.INCONCLUSIVE, str(error)) for claim in missing}
    for claim in claims:
        yield judged.get(claim.id) or _without(claim, Verdict.NOT_RUN, "no finished sweep of this experiment")


def _without(claim: Claim, status: Verdict, reason: str) -> Judgement:
    return Judgement(claim, status, Interval(float("nan"), None, None, 0), float("nan"), float("nan"), reason)


def _run_folders(outputs: Path) -> Iterator[Path]:
    """Every folder with a resolved configuration; what lies below a run is not searched."""
    for root, folders, files in os.walk(outputs):
        if "config.yaml" in files:
            folders.clear()
            yield Path(root)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOT_SEARCHED)


def _experiment_of(folder: Path) -> str:
    try:
        text = (folder / "config.yaml").read_text(encoding="utf-8")
        config = safe_yaml(text)
        paper, experiment = str(config["paper"]), str(config["experiment"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return ""
    return f"{paper}/{experiment.removeprefix(f'{paper}/')}"


def verdict_counts(papers: list[str], judgements: list[Judgement]) -> pd.DataFrame:
    """Papers by verdicts, and how many claims each has."""
    tally = Counter((judgement.claim.paper, str(judgement.status)) for judgement in judgements)
    rows = [[paper, *(tally[paper, str(verdict)] for verdict in Verdict)] for paper in papers]
    return pd.DataFrame(rows, columns=["paper", *(str(verdict) for verdict in Verdict)])


def _render(
    papers: list[str], judgements: list[Judgement], metrics: PaperMetrics, sweeps: dict[str, Path], outputs: Path
) -> bytes:
    sections = []
    for paper in papers:
        own = [judgement for judgement in judgements if judgement.claim.paper == paper]
        rows = html.claim_rows(own, metrics)
        for row, judgement in zip(rows, own, strict=True):
            row["command"] = command_of(judgement.claim.experiment)
        used = sorted({judgement.claim.experiment for judgement in own} & set(sweeps))
        folders = [(name, os.path.relpath(sweeps[name], outputs)) for name in used]
        sections.append({"paper": paper, "rows": rows, "sweeps": folders})
    return html.render(
        "ledger.html",
        title="Claims ledger",
        contents=[(f"paper-{paper}", paper) for paper in papers],
        counts=verdict_counts(papers, judgements).to_dict("split"),
        sections=sections,
        total=len(judgements),
    )
