"""Learning a function from stored samples: costs of shards, responses of designs, values of programs, in any domain."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as lightning
import torch
from jaxtyping import Float
from scipy.stats import kendalltau
from torch import Tensor, nn
from torchmetrics import MeanSquaredError
from torchmetrics.functional import mean_absolute_percentage_error, mean_squared_error, r2_score

from data.regression.module import TEST, TRAIN, Batch
from models.regressor import Regressor
from runs.errors import ConfigError, at_least
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from runs.store.trained import Trained, fill
from runs.store.trained_once import TrainedOnce
from solvers.optimizers.warmup_cosine import WarmupCosine
from tasks.predictions import Predictions
from tasks.regression_figure import regression_figure
from tasks.training_length import TrainingLength

Schedule = Literal["constant", "cosine"]


class Regression(lightning.LightningModule):
    """Trains a network on samples by mean squared error, keeps the weights of the best validation, and judges these.

    The best weights belong to the state of the module: a resumed training has them. A network that is in the artifact cache
    is taken from there, so that nothing is left to fit. One with a closed form is solved for at once. How the network begins
    depends on ``seed`` alone, wherever it was built.

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
        super().__init__()
        if schedule not in ("constant", "cosine"):
            raise ConfigError(f"task.schedule is '{schedule}'; choose constant or cosine")
        at_least("task.", seed=(seed, 0), blocks=(blocks, 1))
        self.model = model
        self.best_model = copy.deepcopy(model).requires_grad_(False)
        self.optimizer, self.schedule, self.seed, self.blocks = optimizer, schedule, seed, blocks
        self.best: dict[str, float] = {}
        self.validation = MeanSquaredError(distributed_available_fn=self._shared_among_ranks)
        self.predictions: dict[str, Predictions] = {}
        self.begun: Tensor
        self.register_buffer("begun", torch.tensor(False))
        self.once = TrainedOnce(name, settings, cache)
        if (trained := self.once.load()) is not None:
            self.adopt(trained)
            self.requires_grad_(False)

    def configure_callbacks(self) -> list[Any]:
        """The store of the trained network."""
        return [self.once]

    @property
    def data(self) -> Any:
        """The run's data module."""
        return self.trainer.datamodule  # type: ignore[attr-defined]

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.trainer.default_root_dir)

    def on_fit_start(self) -> None:
        """Draw the first weights and measure constants, unless this run has before it was killed."""
        if not self.begun and not self.trainer.should_stop:
            initialize(self.model, self.seed)
            whole = self._whole_training()
            self.model.fit(whole.inputs, whole.targets)
            self.best_model.load_state_dict(self.model.state_dict())
            self.begun.fill_(True)

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
            self.best = measured
            self.best_model.load_state_dict(self.model.state_dict())

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

    def trained(self) -> Trained:
        """The best network."""
        return Trained(self.best_model.state_dict(), self.best)

    def adopt(self, trained: Trained) -> None:
        """Go on with a network that another run trained.

        Raises
        ------
        ConfigError
            It is another one than the model.
        """
        fill(self.best_model, trained.weights, f"the stored {self.once.name}", "the model")
        self.best = dict(trained.validation)

    def get_extra_state(self) -> dict[str, Any]:
        """What the best network reached, so that it travels with the weights."""
        return {"best": self.best}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take it up again."""
        self.best = state["best"]

    def _whole_training(self) -> Batch:
        return self.transfer_batch_to_device(self.data.part(TRAIN).whole(), self.device, 0)

    def _gathered(self, name: str) -> tuple[Float[np.ndarray, "samples ..."], Float[np.ndarray, "samples ..."]]:
        predicted, true = self.predictions[name].compute()
        return predicted.double().cpu().numpy(), true.double().cpu().numpy()

    def _shared_among_ranks(self) -> bool:
        """Whether this training has several processes; the run that it is a part of may have more."""
        return self.trainer.world_size > 1


def initialize(network: nn.Module, seed: int) -> None:
    """Draw the weights of all layers anew, the same on every device; the global random state stays."""
    drawn = copy.deepcopy(network).cpu()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in drawn.modules():
            if callable(reset := getattr(layer, "reset_parameters", None)):
                reset()
    network.load_state_dict(drawn.state_dict())


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
