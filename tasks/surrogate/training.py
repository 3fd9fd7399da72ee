"""Training a prior: a network whose costs the oracle turns into good solutions (docs/papers/surco.md#3.4)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytorch_lightning as lightning
import torch
from jaxtyping import Float
from torch import Tensor

from data.problem_batches import Items
from models.cost_network import CostNetwork
from runs.errors import at_least
from runs.store.trained import Trained, fill
from runs.store.trained_once import TrainedOnce
from tasks.regression import initialize
from tasks.surrogate.losses import InstanceLoss

COST, QUERIES = "validation_cost", "queries"


class PriorTraining(lightning.LightningModule):
    """Minimises the mean loss over instances; keeps the weights of the best validation, or the last without one.

    The data are a :class:`data.problem_batches.ProblemBatches`. A network that is in the artifact cache is taken from there,
    so that nothing is left to fit. How the network begins depends on ``seed`` alone.

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
        super().__init__()
        at_least("task.", seed=(seed, 0))
        self.model, self.loss = model, loss
        self.best_model = copy.deepcopy(model).requires_grad_(False)
        self.optimizer, self.seed = optimizer, seed
        self.best: dict[str, float] = {}
        self.once = TrainedOnce(name, settings, cache)
        self._validated: list[float] = []
        self._encoded: dict[tuple[str, int], tuple[Tensor, ...]] = {}
        self.begun: Tensor
        self.register_buffer("begun", torch.tensor(False))
        if (trained := self.once.load()) is not None:
            self.adopt(trained)
            self.requires_grad_(False)

    def configure_callbacks(self) -> list[Any]:
        """The store of the trained network."""
        return [self.once]

    def setup(self, stage: str) -> None:
        """Get the loss ready for the problems, before an optimiser sees its parameters."""
        if stage == "fit":
            problems = [problem for _, problem in self.trainer.datamodule.part("train")]  # type: ignore[attr-defined]
            self.loss.begin(problems, self.seed)

    def on_fit_start(self) -> None:
        """Draw the first weights, unless this run has before it was killed."""
        if not self.begun and not self.trainer.should_stop:
            initialize(self.model, self.seed)
            self.begun.fill_(True)

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
            self._keep({COST: cost})

    def on_train_end(self) -> None:
        """Keep the last weights where nothing chooses."""
        if not self.begun:  # the network was adopted
            return
        if COST not in self.best:
            self._keep({})
        self.best[QUERIES] = float(self.loss.queries)

    def configure_optimizers(self) -> Any:
        """Of network and loss."""
        return self.optimizer([parameter for parameter in self.parameters() if parameter.requires_grad])

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

    def _keep(self, reached: dict[str, float]) -> None:
        self.best = reached
        self.best_model.load_state_dict(self.model.state_dict())

    def _latent(self, part: str, position: int, problem: Any) -> Float[Tensor, " latents"]:
        if (part, position) not in self._encoded:
            self._encoded[part, position] = tuple(each.to(self.device) for each in self.model.encode(problem))
        found: Tensor = self.model(*self._encoded[part, position])
        return found
