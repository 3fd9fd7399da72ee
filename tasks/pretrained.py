"""A network that another run needs: trained inside it, once for all that need the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment

from data.loading import place
from runs.record.callbacks import HeedStop, KeepLast, StopOnNonFiniteLoss
from runs.record.training_checkpoint import recovered_last
from runs.store.trained import fill
from runs.store.trained_run import TrainedRun

FOLDER = "pretraining"


class Pretrained:
    """A training with a configuration of its own, laid out like that of a run.

    Parameters
    ----------
    model, data
        What is trained, and what it learns from.
    task
        Called with the model; makes the training, a LightningModule with the store ``once``, the network ``best_model`` and
        ``trained()``, which gives both to keep.
    trainer
        ``max_epochs``, and whatever else ``pytorch_lightning.Trainer`` takes.
    hardware
        ``accelerator`` and ``precision`` of the run; the training takes one device.
    seed
        Of the training, which the other parts refer to.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        data: lightning.LightningDataModule,
        task: Callable[..., Any],
        trainer: Mapping[str, Any],
        hardware: Mapping[str, Any],
        seed: int = 0,
    ) -> None:
        self.task: Any = task(model=model)
        self.samples: Any = data
        self.trainer, self.hardware = dict(trainer), dict(hardware)
        self.seed = seed

    def network(self, folder: Path) -> Any:
        """The best network, from the cache or trained now; a killed training goes on where the run is started again.

        Parameters
        ----------
        folder
            Of the run that needs it; the network is left there, for other runs.
        """
        if any(parameter.requires_grad for parameter in self.task.parameters()):
            _, rank = place()
            own = folder / FOLDER / (f"{self.task.once.name}-{rank}" if rank else self.task.once.name)
            own.mkdir(parents=True, exist_ok=True)
            last = recovered_last(own)
            with torch.inference_mode(False), torch.enable_grad():
                self._trainer(own).fit(self.task, datamodule=self.samples, ckpt_path=last, weights_only=True)
            self.task.requires_grad_(False)
        self.task.once.keep(folder, self.task.trained())
        return self.task.best_model.cpu().eval()

    def network_of(self, run: Any, folder: Path, kind: str) -> Any:
        """The network that another run has trained, or the own one where ``run`` is None; left in the folder likewise.

        Parameters
        ----------
        run
            Whatever :meth:`runs.store.trained_run.TrainedRun.at` takes.
        folder
            Of the run that needs it.
        kind
            What the network is called in messages.

        Raises
        ------
        ConfigError
            The run has no such network, or another one.
        """
        if run is None:
            return self.network(folder)
        found = TrainedRun.at(run, self.task.once.name, f"a run that trained such a {kind}").trained()
        fill(self.task.best_model, found.weights, "model.run", f"the {kind} of this run")
        self.task.best = dict(found.validation)
        self.task.once.keep(folder, found)
        return self.task.best_model.cpu().eval()

    def _trainer(self, folder: Path) -> lightning.Trainer:
        return lightning.Trainer(
            **self.trainer,
            accelerator=self.hardware["accelerator"],
            precision=self.hardware["precision"],
            devices=1,
            logger=False,
            callbacks=[StopOnNonFiniteLoss(), KeepLast(), HeedStop()],
            default_root_dir=folder,
            use_distributed_sampler=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            plugins=[LightningEnvironment()],
        )
