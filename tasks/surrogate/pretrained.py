"""A prior that a search needs: trained once for all runs that need the same, or taken from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.cost_network import CostNetwork
from runs.errors import ConfigError
from tasks.pretrained import Pretrained
from tasks.surrogate.training import QUERIES


class PretrainedPrior:
    """Predicted costs for the searches of a run (docs/papers/surco.md#3.4).

    Attributes
    ----------
    queries
        Of f, that the training of the prepared network took.

    Parameters
    ----------
    training
        How the network is trained.
    run
        Where a trained network is taken from instead: whatever :meth:`runs.store.trained_run.TrainedRun.at` takes.
    """

    def __init__(self, training: Pretrained, run: Any = None) -> None:
        self.training, self.run = training, run
        self.queries = 0

    def prepare(self, folder: Path) -> CostNetwork:
        """The network, left in the run's folder for other runs.

        Raises
        ------
        ConfigError
            What was taken from a run is another network.
        """
        task = self.training.task
        network: CostNetwork = self.training.network_of(self.run, folder, "prior")
        if QUERIES not in task.best:
            raise ConfigError(f"the stored {task.once.name} does not say how many queries it took; train it anew")
        self.queries = int(task.best[QUERIES])
        return network
