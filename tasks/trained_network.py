"""A training that keeps the best of its network, begins by its seed alone, and is done once for all runs that need it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from runs.errors import at_least
from runs.store.trained import Trained, fill
from runs.store.trained_once import TrainedOnce


class TrainedNetwork(lightning.LightningModule):
    """Abstract: a subclass has the steps, and says in :meth:`keep` when a network is the best so far.

    The best weights belong to the state of the module: a resumed training has them. A network that is in the artifact cache
    is taken from there, so that nothing is left to fit. How the network begins depends on ``seed`` alone, wherever it was
    built. A subclass's own parameters are registered before :meth:`take_over`, which ends its construction.

    Attributes
    ----------
    best_model, best
        The network as it was at its best, and what it had reached.
    begun
        Whether its first weights were drawn.

    Parameters
    ----------
    model
        The network.
    optimizer
        Called with the parameters.
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
        The seed is below 0.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Callable[..., torch.optim.Optimizer],
        seed: int,
        name: str,
        settings: str,
        cache: str | None,
    ) -> None:
        super().__init__()
        at_least("task.", seed=(seed, 0))
        self.model = model
        self.best_model = copy.deepcopy(model).requires_grad_(False)
        self.optimizer, self.seed = optimizer, seed
        self.best: dict[str, float] = {}
        self.begun: Tensor
        self.register_buffer("begun", torch.tensor(False))
        self.once = TrainedOnce(name, settings, cache)

    def take_over(self) -> None:
        """Adopt the network that another run trained, if there is one; then nothing is left to fit."""
        if (trained := self.once.load()) is not None:
            self.adopt(trained)
            self.requires_grad_(False)

    def configure_callbacks(self) -> list[Any]:
        """The store of the trained network."""
        return [self.once]

    def on_fit_start(self) -> None:
        """Draw the first weights, unless this run has before it was killed."""
        if not self.begun and not self.trainer.should_stop:
            initialize(self.model, self.seed)
            self.begin()
            self.begun.fill_(True)

    def begin(self) -> None:
        """A hook: what else is done once before the first step."""

    def keep(self, reached: dict[str, float]) -> None:
        """The network as it is now is the best so far, and has ``reached`` this."""
        self.best = reached
        self.best_model.load_state_dict(self.model.state_dict())

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


def initialize(network: nn.Module, seed: int) -> None:
    """Draw the weights of all layers anew, the same on every device; the global random state stays."""
    drawn = copy.deepcopy(network).cpu()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in drawn.modules():
            if callable(reset := getattr(layer, "reset_parameters", None)):
                reset()
    network.load_state_dict(drawn.state_dict())
