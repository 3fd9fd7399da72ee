"""What a dashboard is: a copy of the run record for the eye.

A dashboard object lives twice: in the run, where building it checks its settings and that its package is there, and in
a process of its own (:mod:`runs.loggers.mirror`), where its methods are called. They may raise, hang or die there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runs.loggers.local import RunInfo

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Dashboard(ABC):
    """One backend. A subclass is a dataclass whose fields are its settings, plain values all."""

    @abstractmethod
    def open(self, run: RunInfo) -> str | None:
        """Begin the copy; returns a remark for the user if it differs from what was asked (as: offline)."""

    @abstractmethod
    def scalars(self, values: Mapping[str, float], step: int | None) -> None:
        """Show scalars at a step; ``step=None`` means final values."""

    @abstractmethod
    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Show a table."""

    @abstractmethod
    def curves(self, name: str, frame: pd.DataFrame, x: str, y: str, series: str | None) -> None:
        """Show curves y(x), one per value of the column ``series`` if given."""

    @abstractmethod
    def figure(self, name: str, path: Path) -> None:
        """Show a PNG file."""

    @abstractmethod
    def close(self, success: bool) -> None:
        """End the copy; ``success`` tells a finished run from a failed or killed one."""

    def rescue(self) -> str | None:
        """After ``close`` missed its deadline: how the user gets the rest of the copy."""
        return None
