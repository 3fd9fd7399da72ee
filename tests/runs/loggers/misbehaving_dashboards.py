"""Dashboards that break in every way, importable by the process that copies the reports."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runs.loggers.dashboard import Dashboard
from runs.loggers.local import RunInfo


@dataclass
class NotesDashboard(Dashboard):
    """Writes what it is shown into a file, and misbehaves at ``where`` as ``how`` says."""

    path: str
    where: str = ""
    how: str = "raise"

    def _note(self, *words: Any) -> None:
        with open(self.path, "a") as notes:
            print(*words, file=notes)
        if words[0] == self.where:
            if self.how == "raise":
                raise RuntimeError(f"broken at {self.where}")
            if self.how == "die":
                os._exit(9)
            time.sleep(3600)

    def open(self, run: RunInfo) -> str | None:
        self._note("open", run.name, run.group, run.revision, run.config)
        return None

    def scalars(self, values: Mapping[str, float], step: int | None) -> None:
        self._note("scalars", dict(values), step)

    def table(self, name: str, frame: Any) -> None:
        self._note("table", name, len(frame))

    def curves(self, name: str, frame: Any, x: str, y: str, series: str | None) -> None:
        self._note("curves", name, len(frame), x, y, series)

    def figure(self, name: str, path: Path) -> None:
        self._note("figure", name, path.read_bytes()[1:4].decode())

    def close(self, success: bool) -> None:
        self._note("close", success)
