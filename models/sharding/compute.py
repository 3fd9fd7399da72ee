"""What the tables of a shard cost together (docs/papers/neuroshard.md#4.1)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from models.encoders.mlp import Standardize, mlp
from models.sharding.sum_of_pieces import SumOfPieces, occurring


class ComputeCost(SumOfPieces):
    """Pieces are encoded alone and added up; the sum is priced. One network for shards of any size.

    Parameters
    ----------
    features
        Of a piece: their names in order, or how many.
    encoder, head
        Widths of the layers after the input; the encoder has ReLU after its last, too.
    """

    def __init__(
        self, features: int | Sequence[str] = 20, encoder: Sequence[int] = (128, 32), head: Sequence[int] = (64,)
    ) -> None:
        super().__init__(features, encoder[-1])
        self.standardize = Standardize(self.features)
        self.encoder = mlp([self.features, *encoder], active=True)
        self.head = mlp([encoder[-1], *head, 1])

    def fit_inputs(self, features: Float[Tensor, "kinds features"], pieces: Int[Tensor, "shards most"]) -> None:  # type: ignore[override]
        """Standardise over all kinds of pieces that occur, each once."""
        self.standardize.fit(occurring(features, pieces))

    def encode(self, pieces: Float[Tensor, "pieces features"]) -> Float[Tensor, "pieces width"]:
        """What a shard has the sum of."""
        return self.encoder(self.standardize(pieces))

    def price(self, sums: Float[Tensor, "shards width"]) -> Float[Tensor, " shards"]:
        """ms of shards that hold something."""
        return self.head(sums).squeeze(-1)
