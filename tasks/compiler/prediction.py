"""Training a network that says which sequences of a coreset suit a program (docs/papers/pass_order.md#3.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data.compiler.base import Actions
from models.compiler.predictor import PassPredictor
from runs.errors import at_least
from solvers.optimizers.warmup_cosine import WarmupCosine
from tasks.compiler.prediction_data import TRAIN, VALIDATION, Batch
from tasks.trained_network import TrainedNetwork
from tasks.training_length import TrainingLength

IMPROVEMENT = "validation_improvement"
Loss = Callable[[Tensor, Tensor], Float[Tensor, ""]]
"""Of logits and rewards, (programs, sequences) each; see :mod:`models.compiler.losses`."""


class PassPrediction(TrainedNetwork):
    """Keeps the weights whose replay of the validation programs saves most within the budget.

    The data are a :class:`tasks.compiler.prediction_data.PredictionData`.

    Parameters
    ----------
    model
        The network.
    loss
        What it learns.
    optimizer
        Called with the parameters.
    budget
        Passes of the replay by which weights are chosen.
    warmup
        Steps of a linear warm-up, before the rate falls as a cosine to 0.
    patience
        Validations without an improvement after which the training ends; None: it goes on.
    seed
        Of the network's first weights.
    name
        What the trained network is kept as.
    settings
        JSON text of the configuration that determines the trained network.
    cache
        Folder of the artifact cache; None: the network is trained for this run alone.

    Raises
    ------
    ConfigError
        A setting is out of its range, or the stored network is another one than ``model``.
    """

    def __init__(
        self,
        model: PassPredictor,
        loss: Loss,
        optimizer: Callable[..., torch.optim.Optimizer],
        budget: int = 45,
        warmup: int = 500,
        patience: int | None = 10,
        seed: int = 0,
        name: str = "pass_predictor",
        settings: str = "{}",
        cache: str | None = None,
    ) -> None:
        super().__init__(model, optimizer, seed, name, settings, cache)
        at_least("task.", budget=(budget, 1), warmup=(warmup, 0), patience=(patience, 1))
        self.loss, self.budget, self.warmup, self.patience = loss, budget, warmup, patience
        self._scores: list[Tensor] = []
        self._stale = 0
        self.take_over()

    @property
    def data(self) -> Any:
        """The run's data module."""
        return self.trainer.datamodule  # type: ignore[attr-defined]

    def begin(self) -> None:
        """Measure the constants of what it sees; remember whose sequences it scores."""
        whole = self.data.batch(TRAIN, range(len(self.data.parts[TRAIN].seen)))
        self.model.fit(whole.views.to(self.device))
        self.model.coreset.fill_(checksum(self.data.sequences))
        self.best_model.load_state_dict(self.model.state_dict())

    def training_step(self, batch: Batch, index: int) -> Float[Tensor, ""]:
        """The loss of a batch."""
        loss = self.loss(self._logits(batch), batch.rewards)
        self.log("training_loss", loss.detach(), batch_size=len(batch.rewards))
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        """Scores of validation programs."""
        self._scores.append(self._logits(batch).detach().double().cpu())

    def on_validation_epoch_end(self) -> None:
        """Keep the network if its replay is the best so far; end where it was long ago."""
        found, self._scores = torch.cat(self._scores).numpy(), []
        if self.trainer.sanity_checking:
            return
        improvement = self.data.parts[VALIDATION].improvement(found, self.budget)
        self.log(IMPROVEMENT, improvement)
        if improvement > self.best.get(IMPROVEMENT, -np.inf):
            self.keep({IMPROVEMENT: improvement})
            self._stale = 0
            return
        self._stale += 1
        if self.patience is not None and self._stale >= self.patience:
            self.trainer.should_stop = True

    def configure_optimizers(self) -> Any:
        """A warm-up, then a cosine."""
        optimizer = self.optimizer([parameter for parameter in self.model.parameters() if parameter.requires_grad])
        steps = TrainingLength.of(self.trainer, len(self.data.train_dataloader())).steps
        schedule = WarmupCosine(optimizer, steps, min(self.warmup, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def get_extra_state(self) -> dict[str, Any]:
        """And how long ago the best was."""
        return super().get_extra_state() | {"stale": self._stale}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take it up again."""
        super().set_extra_state(state)
        self._stale = state.get("stale", 0)

    def _logits(self, batch: Batch) -> Float[Tensor, "programs sequences"]:
        """Scores of the sequences that there are."""
        scores: Tensor = self.model(batch.views)
        return scores[:, : batch.rewards.shape[1]]


def checksum(sequences: Sequence[Actions]) -> int:
    """What tells coresets apart, 63 bits."""
    content = repr([tuple(int(action) for action in sequence) for sequence in sequences])
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "little") >> 1
