"""What tasks that work through problem instances share: one instance per test step, kept at once, never twice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
from torchmetrics import MeanMetric, MetricCollection

from runs.errors import InvalidProblem, RepriseError
from runs.names import safe_name
from runs.record import instances
from runs.record.instances import InstanceResult


class ProblemTask(lightning.LightningModule):
    """Abstract: a subclass says in :meth:`result` what is measured on one problem.

    An instance that an earlier life of the run has finished is read back, not solved again. One that cannot be read or
    solved is reported as such and the others go on; if none is left, the run fails with the first error.

    Parameters
    ----------
    seed
        With the instance's index it determines all random numbers; the rank does not.
    summary
        Metrics whose means over the instances are the run's own metrics.
    """

    def __init__(self, seed: int, summary: Iterable[str]) -> None:
        super().__init__()
        self.seed = seed
        self.means = MetricCollection({name: MeanMetric(nan_strategy="ignore") for name in summary})
        self._first_error: RepriseError | None = None

    @abstractmethod
    def result(self, index: int, name: str, problem: Any) -> InstanceResult:
        """Work on one instance.

        Raises
        ------
        RepriseError
            The instance cannot be worked on.
        Interrupted
            A signal came; the instance is not finished.
        """

    def test_step(self, batch: tuple[int, Any] | None, batch_index: int) -> None:
        """Work on one instance, unless an earlier life of this run has; None: more ranks than instances."""
        if batch is None:
            return
        index, problem = batch
        name = f"{self.data.name}/{getattr(problem, 'name', None) or getattr(problem, 'instance_name', index)}"
        found = instances.load(instances.result_path(self.folder, name))
        if found is None or found.error:
            found = self._result(index, name, problem)
            instances.save(self.folder, found)
            self.state_path(name).unlink(missing_ok=True)
        for metric, mean in self.means.items():
            mean.update(found.metrics.get(metric, np.nan))

    def on_test_epoch_end(self) -> None:
        """Means over the instances of all ranks."""
        self.log_dict(self.means.compute())
        self.trainer.strategy.barrier()
        everything = instances.load_all(self.folder)
        if everything and all(result.error for result in everything):
            raise self._first_error or InvalidProblem("; ".join(f"{r.name}: {r.error}" for r in everything))

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.trainer.default_root_dir)

    @property
    def data(self) -> Any:
        """The run's data module."""
        return self.trainer.datamodule  # type: ignore[attr-defined]

    def state_path(self, name: str) -> Path:
        """Where the search on one instance keeps its state."""
        return self.folder / "instances" / f"{safe_name(name)}.state.npz"

    def _result(self, index: int, name: str, problem: Any) -> InstanceResult:
        try:
            if isinstance(problem, InvalidProblem):
                raise problem
            return self.result(index, name, problem)
        except RepriseError as error:
            self._first_error = self._first_error or error
            return InstanceResult(index, name, {}, error=str(error))
