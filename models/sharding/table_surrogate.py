"""Costs of every table on every device, predicted from the tables: SurCo's surrogate (docs/papers/surco.md#3.4)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from data.sharding.features import names_of, piece_features
from data.sharding.problem import ShardingProblem
from models.cost_network import CostNetwork
from models.encoders.mlp import mlp
from models.encoders.positions import sinusoidal_positions
from runs.errors import ConfigError

WIDTH = 32
HEADS = ("sinusoidal", "linear")


class TableSurrogate(CostNetwork):
    """Tables are encoded alone, or beside all others of their task. Latents are those of costs between 0 and 1.

    Equal devices would have equal costs, and every table would lie on the first of them, so that something has to tell
    devices apart.

    Parameters
    ----------
    devices
        D.
    features
        What is seen of a table, see :data:`data.sharding.features.FEATURES`; each on the scale of its own task.
    head
        ``sinusoidal``, as the paper says: the sinusoidal encoding of the device's number stands beside that of the table.
        ``linear``, as the authors' code does: an output for each device.
    beside
        Whether a table's encoding also has the mean and the maximum of those of its task.

    Raises
    ------
    ConfigError
        There is no such head.
    """

    encodings: Tensor

    def __init__(
        self, devices: int = 4, features: str = "sized", head: str = "sinusoidal", beside: bool = False
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise ConfigError(f"model.head is '{head}'; choose {', '.join(HEADS)}")
        self.devices, self.features, self.beside = devices, features, beside
        self.encoder = mlp([len(names_of(features)), 128, WIDTH], active=True)
        width = 3 * WIDTH if beside else WIDTH
        self.by_device = nn.Linear(width, devices) if head == "linear" else None
        self.by_encoding = None if head == "linear" else mlp([width + WIDTH, WIDTH, 1])
        self.register_buffer("encodings", sinusoidal_positions(devices, WIDTH))

    def encode(self, problem: ShardingProblem) -> tuple[Tensor]:
        """(tables, features), each with mean 0 and variance 1 within the task.

        Raises
        ------
        ConfigError
            The task has another number of devices.
        """
        if problem.devices != self.devices:
            raise ConfigError(f"the prior is for {self.devices} devices, and {problem.name} has {problem.devices}")
        seen = piece_features(problem.tables, np.arange(len(problem.dims)), problem.dims, self.features)
        spread = seen.std(0)
        return (torch.from_numpy((seen - seen.mean(0)) / np.where(spread > 0, spread, 1.0)).float(),)

    def forward(self, features: Float[Tensor, "tables features"]) -> Float[Tensor, " latents"]:
        """A table's devices side by side."""
        encoded = self.encoder(features)
        if self.beside:
            whole = torch.cat([encoded.mean(0), encoded.amax(0)])
            encoded = torch.cat([encoded, whole.expand(len(encoded), -1)], 1)
        if self.by_device is not None:
            return self.by_device(encoded).flatten()
        assert self.by_encoding is not None
        shape = len(encoded), self.devices
        pairs = torch.cat([encoded[:, None].expand(*shape, -1), self.encodings.expand(*shape, -1)], 2)
        return self.by_encoding(pairs).flatten()
