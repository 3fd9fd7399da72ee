"""Results of the harness: a table on the terminal, JSON and CSV under ``outputs/benchmarks``."""

from __future__ import annotations

import csv
import io
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Row, Spread
from benchmarks.measure import load
from runs.environment import hardware, packages, revision
from runs.files import atomic_write, write_json

MEASURED = ("numpy", "scipy", "pyscipopt", "highspy", "ortools", "networkx", "torch", "hydra-core")
"""Distributions whose versions belong to a number."""


def circumstances(size: str, repeats: int) -> dict[str, Any]:
    """What a number depends on: date, revision, machine, its load, versions."""
    installed = {name.lower(): version for name, version in packages().items()}
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "size": size,
        "repeats": repeats,
        "revision": revision(),
        "hardware": hardware(),
        "load": round(load(), 2),
        "python": sys.version.split()[0],
        "packages": {name: installed[name] for name in MEASURED if name in installed},
    }


def describe(facts: dict[str, Any]) -> str:
    """:func:`circumstances` in two lines."""
    machine = facts["hardware"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    commit, plus, changes = facts["revision"].partition("+")
    return (
        f"{facts['date']}  {machine['processor']}, {machine['cores_available']} cores, {machine['memory_gib']} GiB, "
        f"load {facts['load']}; size {facts['size']}, {facts['repeats']} rounds\n"
        f"Python {facts['python']}, {versions}; revision {commit[:12]}{plus}{changes}"
    )


def show(rows: Sequence[Row], baseline: str, console: Console | None = None) -> None:
    """Print the rows of one case."""
    table = Table(title=rows[0].case, title_justify="left")
    for header in ("contender", "", ""):
        table.add_column(header)
    for header in ("median", "min .. max", f"ratio to {baseline}", "min .. max"):
        table.add_column(header, justify="right")
    table.add_column("")
    previous = None
    for row in rows:
        name = row.contender if row.contender != previous else ""
        previous = row.contender
        table.add_row(name, row.quantity, row.unit, *_cells(row.amount), *_cells(row.ratio), row.remark)
    (console or Console(width=_width())).print(table)


def save(folder: Path, name: str, rows: Sequence[Row], facts: dict[str, Any]) -> None:
    """Write ``<name>_<size>.json`` and ``.csv``, each whole or not at all."""
    flat = [row.flat() for row in rows]
    stem = f"{name}_{facts['size']}"
    write_json(folder / f"{stem}.json", {**facts, "benchmark": name, "rows": flat})
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    atomic_write(folder / f"{stem}.csv", text.getvalue().encode())


def _cells(spread: Spread | None) -> tuple[str, str]:
    if spread is None:
        return "", ""
    return f"{spread.median:.3g}", f"{spread.low:.3g} .. {spread.high:.3g}"


def _width() -> int:
    return 150 if not sys.stdout.isatty() else max(100, os.get_terminal_size().columns)
