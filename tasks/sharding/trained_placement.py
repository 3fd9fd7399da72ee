"""Policies that place tables, trained once for all runs that need the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch

from data.sharding.features import names_of
from data.sharding.instances import ShardingTasks
from data.sharding.problem import ShardingProblem
from runs.errors import ConfigError
from runs.store.trained import Trained, fill
from runs.store.trained_once import TrainedOnce
from solvers.sharding.placement import PlacementPolicy, Tasks

MEASURED = "measured_plans"


class Training(Protocol):
    """How a network learns to place tables."""

    def train(self, network: Any, tasks: Tasks, seed: int) -> int:
        """Train it in place, the same for the same seed; how many plans were measured."""


class TrainedPlacement:
    """A policy that has learned on other tasks of the same kind (docs/papers/neuroshard.md#3.7).

    Parameters
    ----------
    name
        What the network is kept as.
    network
        Makes one for a number of features.
    training
        Of the network.
    tasks
        Such as those that it is for, of other draws: it learns on those of them in which no table is larger than any device,
        from the other half of a pool that is halved. The oracle prices plans of these alone.
    features
        What it sees of a table, see :data:`data.sharding.features.FEATURES`.
    seed
        Of the training.
    settings
        JSON text of the configuration that determines the network.
    cache
        Folder of the artifact cache; None: the network is trained for this run alone.

    Raises
    ------
    ConfigError
        There are no such features.
    """

    def __init__(
        self,
        name: str,
        network: Callable[..., torch.nn.Module],
        training: Training,
        tasks: ShardingTasks,
        features: str = "sized",
        seed: int = 0,
        settings: str = "{}",
        cache: str | None = None,
    ) -> None:
        self.network, self.training, self.tasks = network, training, tasks
        self.features, self.width, self.seed = features, len(names_of(features)), seed
        self.once = TrainedOnce(name, settings, cache)

    def prepare(self, folder: Path, devices: int) -> PlacementPolicy:
        """The policy, from the cache or trained now, and left in the run's folder.

        Parameters
        ----------
        folder
            Of the run.
        devices
            Of the tasks that it is to place.

        Raises
        ------
        ConfigError
            It learns on tasks of another number of devices, none of them can be placed without a split, or the stored
            network is another one.
        """
        if self.tasks.devices != devices:
            raise ConfigError(
                f"model.tasks has {self.tasks.devices} devices, and data.devices is {devices}; a policy is for one number"
            )
        trained = self.once.get_or_train(self._trained, folder)
        self.once.keep(folder, trained)
        network = self._network()
        fill(network, trained.weights, "the stored policy")
        return PlacementPolicy(network.eval(), self.features, devices, int(trained.validation[MEASURED]))

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _trained(self) -> Trained:
        """Train; a test of Lightning's, in which this is needed, keeps no gradients."""
        self.tasks.setup()
        drawn: Any = self.tasks.test_problems
        problems = [problem for problem in (drawn[number][1] for number in range(len(drawn))) if _placeable(problem)]
        if not problems:
            raise ConfigError(
                "every task of model.tasks has a table that is larger than any device, and a policy splits none; give "
                "data.memory_gib more, or draw smaller tables"
            )
        network = self._network()
        measured = self.training.train(network, Tasks(problems, self.features), self.seed)
        return Trained(network.state_dict(), {MEASURED: float(measured)})

    def _network(self) -> Any:
        """Before any training; the same for the same seed, whatever else is drawn."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self.network(features=self.width)


def _placeable(problem: ShardingProblem) -> bool:
    """Whether every whole table fits on some device."""
    return bool((problem.column_bytes * problem.dims).max() <= problem.memory.max())
