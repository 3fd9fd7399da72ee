"""The three cost networks of a search: trained once for all runs that need the same, or taken from a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.sharding.features import kind_of
from models.regressor import Regressor
from models.sharding.communication import CommunicationCost
from models.sharding.sum_of_pieces import SumOfPieces
from runs.errors import ConfigError
from runs.store.trained_run import TrainedRun
from solvers.sharding.predicted import PredictedCosts
from tasks.pretrained import Pretrained

PARTS = ("compute", "backward", "forward")


class PretrainedCosts:
    """Costs that a search predicts instead of measuring (docs/papers/neuroshard.md#4).

    Parameters
    ----------
    compute, backward, forward
        How each network is trained.
    run
        Where trained networks are taken from instead: whatever :meth:`runs.store.trained_run.TrainedRun.at` takes, for all
        three, or a mapping with one for some of ``compute``, ``backward`` and ``forward``.
    """

    def __init__(self, compute: Pretrained, backward: Pretrained, forward: Pretrained, run: Any = None) -> None:
        self.trainings = dict(zip(PARTS, (compute, backward, forward), strict=True))
        by_part = isinstance(run, Mapping) and run.keys() <= set(PARTS)
        self.runs = {part: run.get(part) if by_part else run for part in PARTS}

    def prepare(self, folder: Path, devices: int) -> PredictedCosts:
        """The networks, each left in the run's folder for other searches.

        Parameters
        ----------
        folder
            Of the run that searches.
        devices
            Of its tasks.

        Raises
        ------
        ConfigError
            A network that was taken from a run is of another kind, of other features or for another number of devices.
        """
        compute = self._network("compute", folder, SumOfPieces)
        backward = self._network("backward", folder, CommunicationCost)
        forward = self._network("forward", folder, CommunicationCost)
        for part, network, starts in (("backward", backward, False), ("forward", forward, True)):
            if network.starts != starts:
                raise ConfigError(
                    f"model.run: the {part} network was trained for the other direction; give one for {part}"
                )
        if compute.names is None:
            raise ConfigError("the compute network does not say what its features are; train one that has their names")
        costs = PredictedCosts(compute, backward, forward, kind_of(compute.names))
        costs.check(devices)
        return costs

    def _network(self, part: str, folder: Path, kind: type) -> Any:
        training, run = self.trainings[part], self.runs[part]
        name = training.task.once.name
        if run is None:
            regressor: Any = training.network(folder)
        else:
            found = TrainedRun.at(run, name, "a search on learned costs or neuroshard/pretrain_*")
            regressor = found.model()
            training.task.once.keep(folder, found.trained())
        network = regressor.network if isinstance(regressor, Regressor) else regressor
        if not isinstance(network, kind):
            raise ConfigError(f"model.run: {part} is a {type(network).__name__}; expected a {kind.__name__}")
        return network
