"""Training a prior: a network whose costs the oracle turns into good solutions (docs/papers/surco.md#3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from data.problem_batches import Items
from models.cost_network import CostNetwork
from tasks.surrogate.losses import InstanceLoss
from tasks.trained_network import TrainedNetwork

COST, QUERIES = "validation_cost", "queries"


class PriorTraining(TrainedNetwork):
    """Minimises the mean loss over instances; keeps the weights of the best validation, or the last without one.

    The data are a :class:`data.problem_batches.ProblemBatches`.

    Parameters
    ----------
    model
        The network.
    loss
        What it learns from.
    optimizer
        Called with the parameters of network and loss.
    seed
        Of the network's first weights and whatever the loss draws.
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
        model: CostNetwork,
        loss: InstanceLoss,
        optimizer: Callable[..., torch.optim.Optimizer],
        seed: int = 0,
        name: str = "prior",
        settings: str = "{}",
        cache: str | None = None,
    ) -> None:
        super().__init__(model, optimizer, seed, name, settings, cache)
        self.loss = loss
        self._validated: list[float] = []
        self._encoded: dict[tuple[str, int], tuple[Tensor, ...]] = {}
        self.take_over()

    def setup(self, stage: str) -> None:
        """Get the loss ready for the problems, before an optimiser sees its parameters."""
        if stage == "fit":
            problems = [problem for _, problem in self.trainer.datamodule.part("train")]  # type: ignore[attr-defined]
            self.loss.begin(problems, self.seed)

    def training_step(self, batch: Items, index: int) -> Float[Tensor, ""]:
        """Mean loss of the problems of a batch."""
        losses = [self.loss(self._latent("train", *item), *item) for item in batch]
        loss = torch.stack([each.to(self.device) for each in losses]).mean()
        self.log("training_loss", loss.detach(), batch_size=len(batch))
        return loss

    def validation_step(self, batch: Items, index: int) -> None:
        """What weights are chosen by."""
        if self.trainer.sanity_checking:  # queries count
            return
        self._validated += [self.loss.value(self._latent("validation", *item), item[1]) for item in batch]

    def on_validation_epoch_end(self) -> None:
        """Keep the network if it is the best so far."""
        found, self._validated = self._validated, []
        if not found:
            return
        cost = sum(found) / len(found)
        self.log(COST, cost)
        if cost < self.best.get(COST, torch.inf):
            self.keep({COST: cost})

    def on_train_end(self) -> None:
        """Keep the last weights where nothing chooses."""
        if not self.begun:  # the network was adopted
            return
        if COST not in self.best:
            self.keep({})
        self.best[QUERIES] = float(self.loss.queries)

    def configure_optimizers(self) -> Any:
        """Of network and loss."""
        return self.optimizer([parameter for parameter in self.parameters() if parameter.requires_grad])

    def _latent(self, part: str, position: int, problem: Any) -> Float[Tensor, " latents"]:
        if (part, position) not in self._encoded:
            self._encoded[part, position] = tuple(each.to(self.device) for each in self.model.encode(problem))
        found: Tensor = self.model(*self._encoded[part, position])
        return found
