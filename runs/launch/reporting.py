"""How the report of a run or sweep is made when its work is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runs.errors import ConfigError
from runs.files import read_record, write_json
from runs.record.run_folder import SHOWN_FILE
from runs.record.seal import read_settings


def show_as(run: Path, settings: Any) -> None:
    """Let the report of a run be made with these ``report`` settings, which are no part of what it did."""
    try:
        written = read_settings(run).get("report")
    except ConfigError:  # the report names what it cannot read
        return
    before = read_record(run / SHOWN_FILE) or written
    if settings == before:
        return
    (run / "summary.txt").unlink(missing_ok=True)
    if settings == written:
        (run / SHOWN_FILE).unlink()
    else:
        write_json(run / SHOWN_FILE, settings)


def report(folder: Path) -> int:
    """Build the report of a run and print its summary; both are there already if nothing has happened since."""
    told, finished = folder / "summary.txt", folder / "metrics.json"
    if told.exists() and finished.exists() and told.stat().st_mtime >= finished.stat().st_mtime:
        print(told.read_text(), end="")
        return 1 if read_record(finished).get("instance_errors") else 0
    from runs.report.build import build, print_to_terminal

    summary = build(folder)
    print_to_terminal(summary)
    return 0 if summary.whole else 1
