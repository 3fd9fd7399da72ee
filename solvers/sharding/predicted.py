"""Cost networks as the cost model of a search: pieces are encoded once, and a shard is the sum of its pieces."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from data.sharding.features import names_of, piece_features
from data.sharding.oracles.additive import AdditiveOracle, Described
from data.sharding.tables import EmbeddingTables
from models.sharding.communication import CommunicationCost
from models.sharding.sum_of_pieces import SumOfPieces
from runs.errors import ConfigError


class PredictedCosts(AdditiveOracle):
    """Three networks that price plans without a measurement (docs/papers/neuroshard.md#4).

    Parameters
    ----------
    compute
        For shards of any size.
    backward, forward
        For a number of devices.
    features
        What ``compute`` sees of a piece, see :data:`data.sharding.features.FEATURES`.

    Raises
    ------
    ConfigError
        ``compute`` was trained on other features, or on these in another order.
    """

    def __init__(
        self,
        compute: SumOfPieces,
        backward: CommunicationCost,
        forward: CommunicationCost,
        features: str = "authors",
    ) -> None:
        if compute.names is not None and list(compute.names) != names_of(features):
            raise ConfigError(
                f"the compute network was trained on the features {', '.join(compute.names)}, in this order; those of "
                f"'{features}' are {', '.join(names_of(features))}"
            )
        self.pieces = copy.deepcopy(compute).double().eval()
        self.backward, self.forward = (copy.deepcopy(network).double().eval() for network in (backward, forward))
        self.features = features
        head = getattr(self.pieces, "head", None)
        self._price = perceptron(head) if isinstance(head, nn.Sequential) else None

    def check(self, devices: int) -> None:
        """Refuse another number of devices than the networks of communication were trained for.

        Raises
        ------
        ConfigError
            Gives both numbers.
        """
        for network in (self.backward, self.forward):
            if network.devices != devices:
                raise ConfigError(
                    f"the communication network is for {network.devices} devices, and the task has {devices}; train one for "
                    "that number"
                )

    @torch.no_grad()
    def describe(
        self, tables: EmbeddingTables, table: Int[np.ndarray, " pieces"], dim: Int[np.ndarray, " pieces"]
    ) -> Described:
        """The encoding of each piece."""
        features = piece_features(tables, table, dim, self.features)
        return Described(self.pieces.encode(torch.from_numpy(features)).numpy(), np.zeros((len(table), 0)))

    def fused(
        self,
        added: Float[np.ndarray, "shards features"],
        largest: Float[np.ndarray, "shards peaks"],
        device: Int[np.ndarray, " shards"],
    ) -> Float[np.ndarray, " shards"]:
        """ms of shards that hold something."""
        if self._price is not None and isinstance(added, np.ndarray):
            return self._price(added)[:, 0]
        return _asked(self.pieces.price, added)

    def backward_communication(
        self, tables: EmbeddingTables, dim_sums: Float[np.ndarray, "plans devices"]
    ) -> Float[np.ndarray, "plans devices"]:
        return _asked(self.backward, dim_sums)

    def forward_communication(
        self,
        tables: EmbeddingTables,
        dim_sums: Float[np.ndarray, "plans devices"],
        start: Float[np.ndarray, "plans devices"],
    ) -> Float[np.ndarray, "plans devices"]:
        return _asked(self.forward, dim_sums, start)


def _asked(network: Callable[..., torch.Tensor], *inputs: Any) -> Any:
    """What a network says: of tensors with gradients, of numpy's arrays one of numpy's."""
    if isinstance(inputs[0], torch.Tensor):
        return network(*inputs)
    with torch.no_grad():
        return network(*map(torch.from_numpy, inputs)).numpy()


def perceptron(
    layers: nn.Sequential,
) -> Callable[[Float[np.ndarray, "rows inputs"]], Float[np.ndarray, "rows outputs"]]:
    """Linear layers and ReLU in numpy: on a few dozen rows the calls of torch cost more than the numbers."""
    weights = [
        (layer.weight.detach().numpy().T, layer.bias.detach().numpy()) if isinstance(layer, nn.Linear) else None
        for layer in layers
    ]

    def apply(x: Float[np.ndarray, "rows inputs"]) -> Float[np.ndarray, "rows outputs"]:
        for layer in weights:
            x = np.maximum(x, 0) if layer is None else x @ layer[0] + layer[1]
        return x

    return apply
