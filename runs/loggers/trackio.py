"""``logger=trackio``: a local dashboard in SQLite without any account; ``trackio show`` serves it on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs.errors import require
from runs.loggers.dashboard import Dashboard
from runs.loggers.local import RunInfo

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class TrackioDashboard(Dashboard):
    """A trackio run.

    Parameters
    ----------
    project
        The trackio project, one SQLite file under ``TRACKIO_DIR``.
    """

    project: str = "reprise"
    _run: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        require("trackio", "tracking")

    def open(self, run: RunInfo) -> str | None:
        import trackio

        config = {**run.config, "revision": run.revision}
        self._run = trackio.init(
            project=self.project,
            name=run.name,
            group=run.group,
            config=config,
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )
        return None

    def scalars(self, values: Mapping[str, float], step: int | None) -> None:
        named = dict(values) if step is not None else {f"final/{name}": value for name, value in values.items()}
        self._run.log(named, step=step)

    def table(self, name: str, frame: pd.DataFrame) -> None:
        import trackio

        self._run.log({f"tables/{name}": trackio.Table(dataframe=frame)})

    def curves(self, name: str, frame: pd.DataFrame, x: str, y: str, series: str | None) -> None:
        """As a table and as one metric per curve: trackio plots over x when its rows carry it."""
        self.table(f"curves/{name}", frame)
        groups = [(y, frame)] if series is None else frame.groupby(series, sort=False)
        for label, part in groups:
            known = part.dropna(subset=[x, y])
            for position, value in zip(known[x], known[y], strict=True):
                self._run.log({f"curves/{name}/{label}": float(value), f"curves/{name}/{x}": float(position)})

    def figure(self, name: str, path: Path) -> None:
        import trackio

        self._run.log({f"figures/{name}": trackio.Image(str(path))})

    def close(self, success: bool) -> None:
        self._run.finish()
