"""What a run reports to: its own folder always, and the dashboards of ``logger=...``."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lightning_utilities.core.rank_zero import rank_zero_only

from runs import environment
from runs.errors import ConfigError
from runs.loggers.dashboard import Dashboard
from runs.loggers.local import LocalLog, RunInfo
from runs.loggers.mirror import FINISH_SECONDS, Mirror
from runs.secret import without_secrets

if TYPE_CHECKING:
    import pandas as pd


class RunLog:
    """The reports of one run; a no-op on every rank but the first.

    Reports go to the run's folder at once, where a refusing disk raises ``OSError``. Dashboards copy from there in
    processes of their own: no call here waits for one or fails because of one, except that :meth:`finish` waits at most
    ``FINISH_SECONDS`` for all of them together.

    Parameters
    ----------
    run
        The run.
    dashboards
        By the name that messages give them.
    """

    def __init__(self, run: RunInfo, dashboards: Mapping[str, Dashboard]) -> None:
        self.run = run
        self._local = LocalLog()
        self._mirrors: list[Mirror] = []
        hardware = run.config.get("hardware")
        self._open = environment.rank(hardware) == 0
        if self._open and not environment.is_distributed(hardware):
            setattr(rank_zero_only, "rank", 0)  # noqa: B010 # Lightning guesses it from the variables of a scheduler
        self._owner = os.getpid()  # a forked rank reports, but the end is its parent's to tell
        if self._open:
            self._local.attach(run)
            shown = RunInfo(run.folder, without_secrets(run.config), run.group, run.name, run.revision)
            self._mirrors = [Mirror(name, dashboard, shown) for name, dashboard in dashboards.items()]
            atexit.register(self.finish, success=False)

    def log_scalars(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Report numbers of a step; without a step, the run's final values."""
        if self._reporting:
            self._local.scalars(values, step)

    def log_table(self, name: str, frame: pd.DataFrame) -> None:
        """Report a table; a later one of the same name replaces it."""
        if self._reporting:
            self._local.table(name, frame)

    def log_curves(
        self, name: str, frame: pd.DataFrame, x: str = "seconds", y: str = "objective", series: str | None = None
    ) -> None:
        """Report anytime curves as a table and a line plot: column ``y`` over ``x``, one line per value of ``series``.

        Raises
        ------
        ConfigError
            The frame lacks one of the columns.
        """
        if missing := [column for column in (x, y, series) if column is not None and column not in frame.columns]:
            raise ConfigError(f"log_curves({name!r}): no column {missing}; the frame has {list(frame.columns)}")
        if self._reporting:
            self._local.curves(name, frame, x, y, series)

    def log_figure(self, name: str, path: Path | str) -> None:
        """Report a figure that lies as a PNG file in the run's folder."""
        if self._reporting:
            self._local.figure(name, Path(path))

    def finish(self, success: bool = True) -> None:
        """End the reports; returns when the dashboards have them or have had their time. A second call does nothing."""
        if not self._open or os.getpid() != self._owner:
            return
        self._open = False
        atexit.unregister(self.finish)
        try:
            self._local.close()
        finally:
            deadline = time.monotonic() + FINISH_SECONDS
            for mirror in self._mirrors:
                mirror.ask_to_finish(success)
            for mirror in self._mirrors:
                mirror.wait(deadline)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.finish(success=error is None)

    @property
    def _reporting(self) -> bool:
        """Asked at each report: ranks that were forked learn their number only after the log was made."""
        return self._open and not getattr(rank_zero_only, "rank", None)


def build(loggers: Mapping[str, Any] | None, run: RunInfo) -> RunLog:
    """The log of a run from the config group ``logger``.

    Parameters
    ----------
    loggers
        One entry per chosen file of ``conf/logger``: a node with ``_target_``. ``local`` is on without being named.
    run
        The run; ``run.config`` is resolved and plain.

    Raises
    ------
    ConfigError
        An entry is not a dashboard or its settings do not fit.
    MissingDependency
        A dashboard's package is not installed.
    """
    dashboards = {}
    for name, node in (loggers or {}).items():
        if node is not None:
            made = _instantiate(name, node)
            if isinstance(made, Dashboard):
                dashboards[name] = made
    return RunLog(run, dashboards)


def _instantiate(name: str, node: Any) -> Dashboard | LocalLog:
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    from runs.errors import RepriseError

    try:
        made = instantiate(node, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, RepriseError):
            raise error.__cause__ from None
        raise ConfigError(f"logger.{name}: {error.__cause__ or error}; see conf/logger/{name}.yaml") from error
    if not isinstance(made, (Dashboard, LocalLog)):
        raise ConfigError(f"logger.{name} is a {type(made).__name__}; its _target_ must be a runs.loggers Dashboard")
    return made
