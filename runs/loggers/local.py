"""``logger=local``: what a run reports while it goes, as files of its own folder.

``events.jsonl`` has one line per report: scalars, tables, anytime curves and figures, in order. Tables and curves lie
beside it as parquet. Dashboards copy from here (:mod:`runs.loggers.mirror`), so what they missed is never lost.
"""

from __future__ import annotations

import io
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs.files import atomic_write
from runs.names import safe_name

if TYPE_CHECKING:
    import pandas as pd

EVENTS = "events.jsonl"


@dataclass(frozen=True)
class RunInfo:
    """What a dashboard shows about a run.

    Parameters
    ----------
    folder
        The run's folder.
    config
        The resolved configuration in plain containers; it never holds a secret.
    group
        The sweep's name; its runs stand together.
    name
        The run's name.
    revision
        The git revision.
    """

    folder: Path
    config: dict[str, Any]
    group: str
    name: str
    revision: str


class LocalLog:
    """Reports of one run, appended to its folder; always on.

    A disk that refuses raises ``OSError``: unlike a dashboard, this is the record. One report is one ``write`` of one
    line, so a kill tears at most the last line, and readers skip a torn one.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._handle = -1

    def attach(self, run: RunInfo) -> None:
        """Open the run's folder; what the run reported before it was killed stays."""
        run.folder.mkdir(parents=True, exist_ok=True)
        self._folder = run.folder
        self._handle = os.open(run.folder / EVENTS, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        size = os.fstat(self._handle).st_size
        if size and os.pread(self._handle, 1, size - 1) != b"\n":
            os.write(self._handle, b"\n")

    def scalars(self, values: Mapping[str, float], step: int | None) -> None:
        """Append scalars of a step; ``step=None`` marks final values."""
        self._append("scalars", step=step, values={name: _encode(value) for name, value in values.items()})

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Store a table as ``tables/<name>.parquet``."""
        self._append("table", name=name, path=self._store("tables", name, frame))

    def curves(self, name: str, frame: pd.DataFrame, x: str, y: str, series: str | None) -> None:
        """Store curves (columns ``x``, ``y`` and perhaps ``series``) as ``curves/<name>.parquet``."""
        self._append("curves", name=name, path=self._store("curves", name, frame), x=x, y=y, series=series)

    def figure(self, name: str, path: Path) -> None:
        """Note a PNG file of the run."""
        self._append("figure", name=name, path=os.path.relpath(path, self._folder))

    def close(self) -> None:
        """Bring the reports to the disk; a second call does nothing."""
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _store(self, kind: str, name: str, frame: pd.DataFrame) -> str:
        assert self._folder is not None
        path = self._folder / kind / f"{safe_name(name)}.parquet"
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        atomic_write(path, buffer.getvalue())
        return str(path.relative_to(self._folder))

    def _append(self, kind: str, **event: Any) -> None:
        if self._handle < 0:
            raise RuntimeError("the log is not attached to a run")
        line = json.dumps({"kind": kind, "time": time.time(), **event}, allow_nan=False)
        os.write(self._handle, line.encode() + b"\n")


def _encode(value: float) -> float | str:
    """JSON has no NaN and no infinity; ``float()`` reads their names back."""
    number = float(value)
    return number if math.isfinite(number) else str(number)


def parse_event(line: bytes) -> dict[str, Any] | None:
    """One report, numbers decoded; None for a line that is torn or no report."""
    try:
        event = json.loads(line)
        if event["kind"] == "scalars":
            step = event["step"] if event["step"] is None else int(event["step"])
            values = {name: float(value) for name, value in event["values"].items()}
            event |= {"step": step, "values": values}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    return event


def read_events(folder: Path | str) -> Iterator[dict[str, Any]]:
    """All reports of a run, in order."""
    path = Path(folder) / EVENTS
    if path.exists():
        for line in path.read_bytes().splitlines():
            if (event := parse_event(line)) is not None:
                yield event


def read_scalars(folder: Path | str) -> pd.DataFrame:
    """Training curves of a run: columns ``step, name, value``.

    A run that was killed and resumed reports some steps twice; the later report counts, as it continues the run that
    was finished.
    """
    import pandas as pd

    latest = {
        (event["step"], name): value
        for event in read_events(folder)
        if event["kind"] == "scalars"
        for name, value in event["values"].items()
    }
    rows = [(step, name, value) for (step, name), value in latest.items()]
    return pd.DataFrame(rows, columns=["step", "name", "value"])
