"""What the tables of a shard cost together (docs/papers/neuroshard.md#4.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.encoders.mlp import Standardize, mlp


class ComputeCost(nn.Module):
    """Pieces are encoded alone and added up; the sum is priced. One network for shards of any size.

    Parameters
    ----------
    features
        Of a piece.
    encoder, head
        Widths of the layers after the input; the encoder has ReLU after its last, too.
    """

    def __init__(self, features: int = 20, encoder: Sequence[int] = (128, 32), head: Sequence[int] = (64,)) -> None:
        super().__init__()
        self.features, self.width = features, encoder[-1]
        self.standardize = Standardize(features)
        self.encoder = mlp([features, *encoder], active=True)
        self.head = mlp([encoder[-1], *head, 1])

    def encode(self, pieces: Float[Tensor, "pieces features"]) -> Float[Tensor, "pieces width"]:
        """What a shard has the sum of."""
        return self.encoder(self.standardize(pieces))

    def price(self, sums: Float[Tensor, "shards width"]) -> Float[Tensor, " shards"]:
        """ms of shards that hold something."""
        return self.head(sums).squeeze(-1)

    def forward(
        self, pieces: Float[Tensor, "pieces features"], shard: Int[Tensor, " pieces"], shards: int
    ) -> Float[Tensor, " shards"]:
        """ms of each shard, 0 of an empty one."""
        sums = pieces.new_zeros(shards, self.width).index_add(0, shard, self.encode(pieces))
        held = torch.bincount(shard, minlength=shards) > 0
        return torch.where(held, self.price(sums), 0.0)
