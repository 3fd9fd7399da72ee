"""Lightning's view of a run's log: what a task logs with ``self.log`` becomes scalars of the run."""

from __future__ import annotations

from typing import Any

from pytorch_lightning.loggers import Logger

from runs.loggers.log import RunLog


class TrainerLogger(Logger):
    """The logger for ``Trainer(logger=...)``; configuration and end of the run are the run's own business.

    Parameters
    ----------
    log
        Where the scalars go.
    """

    def __init__(self, log: RunLog) -> None:
        super().__init__()
        self._log = log

    @property
    def name(self) -> str:
        return "reprise"

    @property
    def version(self) -> str:
        return self._log.run.name

    @property
    def save_dir(self) -> str:
        return str(self._log.run.folder)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Report one step's metrics."""
        self._log.log_scalars(metrics, step)

    def log_hyperparams(self, *arguments: Any, **options: Any) -> None:
        """The resolved configuration is in the record already."""
