"""Any checkpoint of any experiment, judged by the protocols."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from torch import nn

from runs.errors import ConfigError
from runs.interrupt import at_once
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.store.trained_run import TrainedRun
from tasks.images.protocols.suite import Suite


class CheckpointEvaluation(lightning.LightningModule):
    """Judges the encoder that a run left; trains nothing of it.

    Results have the method and the seed of that run, so that a sweep over checkpoints is a table of methods.

    Parameters
    ----------
    checkpoint
        The run, its file or a row of a sweep, see :meth:`runs.store.trained_run.TrainedRun.at`.
    protocols
        What it is judged by.
    part
        Path of the module to judge within the trained network ("teacher"), which has an ``encoder`` or is one; None for the
        network itself.

    Raises
    ------
    ConfigError
        The run cannot be read, or has no such part.
    """

    def __init__(
        self,
        checkpoint: str | Mapping[str, Any] | None,
        protocols: Suite,
        part: str | None = None,
    ) -> None:
        super().__init__()
        self.run = TrainedRun.at(checkpoint)
        self.network = _part(self.run.model(), part)
        self.protocols = protocols
        self._data: Any = None

    @property
    def data(self) -> Any:
        """The data of ``data=...``, or those that the run was trained on."""
        given = self.trainer.datamodule  # type: ignore[attr-defined]
        if given is None and self._data is None:
            self._data = self.run.data()
            self._data.setup()
        return self._data if given is None else given

    def test_dataloader(self) -> list[int]:
        """One step; asked for where no data was chosen."""
        return [0]

    @at_once()
    def test_step(self, batch: Any, index: int) -> None:
        """The protocols, once."""
        folder = Path(self.trainer.default_root_dir)
        self.protocols.check(self.network, self.data)
        metrics = self.protocols.evaluate(self.network, self.data, self.device, folder)
        self.log_dict(metrics, batch_size=1)
        if self.trainer.is_global_zero:
            name = f"{self.data.name}/test"
            row = self.run.provenance
            instances.save(folder, InstanceResult(0, name, metrics, method=row.method, seed=row.seed))


def _part(network: nn.Module, path: str | None) -> nn.Module:
    try:
        return network if path is None else network.get_submodule(path)
    except AttributeError as error:
        there = ", ".join(name for name, _ in network.named_children())
        raise ConfigError(f"task.part is '{path}', which the network has not; it has {there}") from error
