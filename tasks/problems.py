"""What tasks that work through problem instances share: an instance a test step, its result kept as soon as it is known."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning

from runs.errors import InvalidProblem, RepriseError
from runs.names import safe_name
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.left_out import warn
from runs.text import one_line


class ProblemTask(lightning.LightningModule):
    """Abstract: a subclass says in :meth:`result` what is measured on one problem; the run reports the means.

    What a subclass draws is determined by its own seed and the instance's index, never by the rank. An instance that the
    run finished before it was killed is read back, not solved again. A problem that has a ``family`` is of that data set in
    reports. One that cannot be read or solved is reported as such
    and the others go on; if none is left, the run fails with the first error.
    """

    def __init__(self) -> None:
        super().__init__()
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
        """Work on one instance, unless its result is there already; None: more ranks than instances."""
        if batch is None:
            return
        index, problem = batch
        data_set = getattr(problem, "family", self.data.name)
        name = f"{data_set}/{getattr(problem, 'name', None) or getattr(problem, 'instance_name', index)}"
        for note in getattr(problem, "notes", ()):
            doubt = one_line(f"{name}: {note}")
            warn(self.folder, doubt, doubt)
        found = instances.of_instance(self.folder, name)
        if found is None or found.error:
            found = self._result(index, name, problem)
            instances.save(self.folder, found)
            if not found.error:  # else the same command goes on from the state
                self.state_path(name).unlink(missing_ok=True)
        elif found.index != index:  # it was another one's place, or the data set has changed
            instances.save(self.folder, replace(found, index=index))

    def on_test_epoch_end(self) -> None:
        """Means over the instances of all ranks, which every rank reads from their files.

        Raises
        ------
        StorageError
            An instance has no result any more.
        """
        self.trainer.strategy.barrier()
        everything = instances.load_all(self.folder)
        instances.refuse_missing(everything, len(self.data.test_problems))
        self.log_dict(instances.means(everything))
        if everything and all(result.error and not result.metrics for result in everything):
            raise self._first_error or InvalidProblem("; ".join(f"{r.name}: {r.error}" for r in everything))

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.trainer.default_root_dir)

    @property
    def data(self) -> Any:
        """The run's data module."""
        return self.trainer.datamodule  # type: ignore[attr-defined]

    def state_path(self, name: str, method: str | None = None) -> Path:
        """Where the search on one instance keeps its state; that of another ``method`` than the run's lies elsewhere."""
        return self.folder / "instances" / f"{safe_name(name if method is None else f'{name}-{method}')}.state.npz"

    def _result(self, index: int, name: str, problem: Any) -> InstanceResult:
        try:
            if isinstance(problem, InvalidProblem):
                raise problem
            return self.result(index, name, problem)
        except RepriseError as error:
            self._first_error = self._first_error or error
            return InstanceResult(index, name, {}, error=str(error))
