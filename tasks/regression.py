"""Learning a function from stored samples: costs of shards, responses of designs, values of programs, in any domain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import kendalltau
from torch import Tensor
from torchmetrics import MeanSquaredError
from torchmetrics.functional import mean_absolute_percentage_error, mean_squared_error, r2_score

from data.regression.module import TEST, TRAIN, Batch
from models.regressor import Regressor
from runs.errors import ConfigError, at_least
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from solvers.optimizers.warmup_cosine import WarmupCosine
from tasks.predictions import Predictions
from tasks.regression_figure import regression_figure
from tasks.trained_network import TrainedNetwork
from tasks.training_length import TrainingLength

Schedule = Literal["constant", "cosine"]


class Regression(TrainedNetwork):
    """Trains a network on samples by mean squared error, keeps the weights of the best validation, and judges these.

    A network with a closed form is solved for at once.

    The data are a :class:`data.regression.module.RegressionData`. Of each part that judges, ``mse``, ``r2``, ``mape`` and
    ``kendall_tau`` are over all its samples and outputs; the test part is cut into blocks, which are the instances that
    trainings are compared on.

    Parameters
    ----------
    model
        The network, and the scale of its targets.
    optimizer
        Called with the network's parameters.
    schedule
        ``constant``, or ``cosine``: the rate falls to 0 over the training, step by step.
    seed
        Of the network's first weights.
    name
        What the trained network is kept as.
    settings
        JSON text of the configuration that determines the trained network; its ``model`` is kept with the weights.
    cache
        Folder of the artifact cache; None: the network is trained for this run alone.
    blocks
        Of the test part.

    Raises
    ------
    ConfigError
        A setting is out of its range, or the stored network is another one than ``model``.
    """

    def __init__(
        self,
        model: Regressor,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Schedule = "constant",
        seed: int = 0,
        name: str = "regressor",
        settings: str = "{}",
        cache: str | None = None,
        blocks: int = 20,
    ) -> None:
        super().__init__(model, optimizer, seed, name, settings, cache)
        if schedule not in ("constant", "cosine"):
            raise ConfigError(f"task.schedule is '{schedule}'; choose constant or cosine")
        at_least("task.", blocks=(blocks, 1))
        self.schedule, self.blocks = schedule, blocks
        self.validation = MeanSquaredError(distributed_available_fn=self._shared_among_ranks)
        self.predictions: dict[str, Predictions] = {}
        self.take_over()

    @property
    def data(self) -> Any:
        """The run's data module."""
        return self.trainer.datamodule  # type: ignore[attr-defined]

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.trainer.default_root_dir)

    def begin(self) -> None:
        """Measure the constants of inputs and targets."""
        whole = self._whole_training()
        self.model.fit(whole.inputs, whole.targets)
        self.best_model.load_state_dict(self.model.state_dict())

    def training_step(self, batch: Batch, index: int) -> Float[Tensor, ""]:
        """Mean squared error of a batch, on the scale of learning."""
        loss = self.model.loss(batch.inputs, batch.targets)
        self.log("training_loss", loss.detach(), batch_size=len(batch.targets))
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        """Squared errors of validation samples, in the units of the targets."""
        self.validation.update(self.model(**batch.inputs).flatten(), batch.targets.flatten())

    def on_validation_epoch_end(self) -> None:
        """Keep the network if it is the best so far."""
        measured = {"validation_mse": float(self.validation.compute())}
        self.validation.reset()
        if self.trainer.sanity_checking:
            return
        self.log_dict(measured)
        if measured["validation_mse"] < self.best.get("validation_mse", torch.inf):
            self.keep(measured)

    def configure_optimizers(self) -> Any:
        """The rate stays, or falls as a cosine."""
        optimizer = self.optimizer([parameter for parameter in self.model.parameters() if parameter.requires_grad])
        if self.schedule == "constant":
            return optimizer
        length = TrainingLength.of(self.trainer, len(self.data.train_dataloader()))
        cosine = WarmupCosine(optimizer, length.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}

    def on_test_start(self) -> None:
        """Solve for a closed form; leave the network in the run's folder, for others."""
        if not any(True for _ in self.model.parameters()):
            whole = self._whole_training()
            self.best_model.fit(whole.inputs, whole.targets)
        if self.trainer.is_global_zero:
            self.once.keep(self.folder, self.trained())
        self.predictions = {name: Predictions().to(self.device) for name in self.data.judges}

    def test_step(self, batch: Batch, index: int, dataloader_idx: int = 0) -> None:
        """Predictions of a batch of a part that judges."""
        name = self.data.judges[dataloader_idx]
        self.predictions[name].update(batch.places, self.best_model(**batch.inputs), batch.targets)

    def on_test_epoch_end(self) -> None:
        """Errors over the samples of all ranks, the blocks' results and a figure."""
        found = {name: self._gathered(name) for name in self.predictions}
        measured = dict(self.best)
        for name, (predicted, true) in found.items():
            ending = "" if name == TEST else f"_{name}"
            measured |= {f"{metric}{ending}": value for metric, value in errors(predicted, true).items()}
        self.log_dict(measured)
        if not self.trainer.is_global_zero:
            return
        of_blocks = ("mse", "mape")
        whole = {name: value for name, value in measured.items() if name not in of_blocks}
        instances.save(self.folder, InstanceResult(0, f"{self.data.name}/all", whole))
        parts = [np.array_split(values, min(self.blocks, len(found[TEST][0]))) for values in found[TEST]]
        for number, (predicted, true) in enumerate(zip(*parts, strict=True), 1):
            of_block = {name: value for name, value in errors(predicted, true).items() if name in of_blocks}
            instances.save(self.folder, InstanceResult(number, f"{self.data.name}/block_{number}", of_block))
        for name, (predicted, true) in found.items():
            part = self.data.part(name)
            draw(self.folder, name, lambda: regression_figure(predicted, true, part.stratum, part.strata))  # noqa: B023

    def _whole_training(self) -> Batch:
        return self.transfer_batch_to_device(self.data.part(TRAIN).whole(), self.device, 0)

    def _gathered(self, name: str) -> tuple[Float[np.ndarray, "samples ..."], Float[np.ndarray, "samples ..."]]:
        predicted, true = self.predictions[name].compute()
        return predicted.double().cpu().numpy(), true.double().cpu().numpy()

    def _shared_among_ranks(self) -> bool:
        """Whether this training has several processes; the run that it is a part of may have more."""
        return self.trainer.world_size > 1


def errors(predicted: Float[np.ndarray, "samples ..."], true: Float[np.ndarray, "samples ..."]) -> dict[str, float]:
    """Mean squared error, R^2, mean relative error and Kendall's tau over all samples and outputs; NaN where undefined."""
    first, second = torch.from_numpy(predicted).flatten(), torch.from_numpy(true).flatten()
    varied = len(second) > 1 and float(second.var()) > 0
    return {
        "mse": float(mean_squared_error(first, second)),
        "r2": float(r2_score(first, second)) if varied else np.nan,
        "mape": float(mean_absolute_percentage_error(first, second)),
        "kendall_tau": float(kendalltau(first, second).statistic)
        if varied
        else np.nan,  # torchmetrics' takes n^2 steps
    }
