"""Costs of every table on every device, predicted from the tables: SurCo's surrogate (docs/papers/surco.md#3.4)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.encoders.mlp import Standardize, mlp
from models.encoders.positions import sinusoidal_positions
from runs.errors import ConfigError

WIDTH = 32
HEADS = ("sinusoidal", "linear")


class TableSurrogate(nn.Module):
    """Tables are encoded alone, or beside all others of their task; costs lie between 0 and 1.

    Equal devices would have equal costs, and every table would lie on the first of them, so that something has to tell
    devices apart.

    Parameters
    ----------
    features
        Of a table.
    devices
        D.
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

    def __init__(self, features: int = 21, devices: int = 4, head: str = "sinusoidal", beside: bool = False) -> None:
        super().__init__()
        if head not in HEADS:
            raise ConfigError(f"model.head is '{head}'; choose {', '.join(HEADS)}")
        self.devices, self.beside = devices, beside
        self.standardize = Standardize(features)
        self.encoder = mlp([features, 128, WIDTH], active=True)
        width = 3 * WIDTH if beside else WIDTH
        self.by_device = nn.Linear(width, devices) if head == "linear" else None
        self.by_encoding = None if head == "linear" else mlp([width + WIDTH, WIDTH, 1])
        self.register_buffer("encodings", sinusoidal_positions(devices, WIDTH))

    def forward(self, features: Float[Tensor, "tables features"]) -> Float[Tensor, "tables devices"]:
        """c of each table on each device."""
        encoded = self.encoder(self.standardize(features))
        if self.beside:
            whole = torch.cat([encoded.mean(0), encoded.amax(0)])
            encoded = torch.cat([encoded, whole.expand(len(encoded), -1)], 1)
        if self.by_device is not None:
            return self.by_device(encoded).sigmoid()
        assert self.by_encoding is not None
        shape = len(encoded), self.devices
        pairs = torch.cat([encoded[:, None].expand(*shape, -1), self.encodings.expand(*shape, -1)], 2)
        return self.by_encoding(pairs)[..., 0].sigmoid()
