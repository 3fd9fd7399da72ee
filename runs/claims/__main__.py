"""The claims ledger: what each paper asserts, and whether its sweeps bear it out.

``python -m runs.claims [--run] [--outputs DIR]`` judges every claim of every paper by the latest finished sweep of its
experiment and writes one page.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from runs.claims.claim import load_claims
from runs.claims.verdicts import Verdict
from runs.environment import CONF, ROOT
from runs.errors import RepriseError
from runs.report.console import Terminal
from runs.report.ledger import Ledger, build_ledger, command_of, verdict_counts
from runs.text import one_line

LAUNCHER = ROOT / "launch.py"


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m runs.claims``: 0 when the ledger was written, 1 when a sweep failed before, 2 when a file is wrong."""
    parser = argparse.ArgumentParser(prog="python -m runs.claims", description="Judge every paper's claims.")
    default = Path(os.environ.get("REPRISE_OUTPUTS", "outputs"))
    parser.add_argument("--outputs", type=Path, default=default, help=f"where the sweeps are (default: {default})")
    parser.add_argument("--conf", type=Path, default=CONF, help="configuration folder with experiment/*/claims.yaml")
    parser.add_argument("--run", action="store_true", help="first run every *_small sweep that a claim names; resumes")
    options = parser.parse_args(arguments)
    failed: list[str] = []
    try:
        if options.run:
            failed = run_sweeps(_small_experiments(options.conf), options.outputs)
        ledger = build_ledger(options.outputs, options.conf)
    except RepriseError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or options.outputs}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    _print(ledger)
    for experiment in failed:
        print(f"ended with an error: {command_of(experiment)}", file=sys.stderr)
    return 1 if failed else 0


def run_sweeps(experiments: Sequence[str], outputs: Path) -> list[str]:
    """Run the sweeps one after the other; each resumes where it stopped. Returns those that ended with an error."""
    environment = os.environ | {"REPRISE_OUTPUTS": str(outputs.resolve())}
    failed = []
    for experiment in experiments:
        print(f"running: {command_of(experiment)}", flush=True)
        command = [sys.executable, str(LAUNCHER), f"experiment={experiment}"]
        code = subprocess.run(command, env=environment, check=False).returncode
        if code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
            raise KeyboardInterrupt
        if code:
            failed.append(experiment)
    return failed


def _small_experiments(conf: Path) -> list[str]:
    """The laptop-size sweeps that the claims of all papers name; those of the papers' own size are for a cluster."""
    papers = sorted(path.parent.name for path in (conf / "experiment").glob("*/claims.yaml"))
    named = dict.fromkeys(claim.experiment for paper in papers for claim in load_claims(paper, conf))
    return [experiment for experiment in named if experiment.endswith("_small")]


def _print(ledger: Ledger) -> None:
    console = Terminal()
    papers = sorted({judgement.claim.paper for judgement in ledger.judgements})
    table = Table(title="Claims ledger", title_justify="left")
    tally = verdict_counts(papers, ledger.judgements)
    for name in tally.columns:
        table.add_column(str(name), justify="left" if name == "paper" else "right")
    for row in tally.itertuples(index=False):
        table.add_row(*(escape(str(value)) for value in row))
    console.print(table)
    for judgement in ledger.judgements:
        claim = judgement.claim
        console.print(f"{judgement.status}  {escape(claim.paper)}: {escape(claim.statement)}", highlight=False)
    for experiment in sorted({j.claim.experiment for j in ledger.judgements if j.status == Verdict.NOT_RUN}):
        console.print(f"to run: {escape(command_of(experiment))}", highlight=False)
    console.print(f"ledger: {escape(str(ledger.html))}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
