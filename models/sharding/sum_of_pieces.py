"""What all cost models of shards share: pieces are described alone, and a shard is the sum of its pieces."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from models.regressor import Predictor


class SumOfPieces(Predictor):
    """Abstract: prices sums over pieces, for shards of any size.

    Parameters
    ----------
    features
        Names of a piece's features in their order, or how many there are.
    width
        Of the sums.
    """

    def __init__(self, features: int | Sequence[str], width: int) -> None:
        super().__init__()
        self.names = None if isinstance(features, int) else tuple(features)
        self.features = features if isinstance(features, int) else len(features)
        self.width = width

    @abstractmethod
    def encode(self, pieces: Float[Tensor, "pieces features"]) -> Float[Tensor, "pieces width"]:
        """What a shard has the sum of."""

    @abstractmethod
    def price(self, sums: Float[Tensor, "shards width"]) -> Float[Tensor, " shards"]:
        """ms of shards that hold something."""

    def sums(
        self, features: Float[Tensor, "kinds features"], pieces: Int[Tensor, "shards most"]
    ) -> Float[Tensor, "shards width"]:
        """Of each shard; every kind of piece that occurs is encoded once, however many shards hold it."""
        occurs = torch.zeros(len(features) + 1, dtype=torch.bool, device=pieces.device)
        occurs[pieces] = True  # -1, which is no piece, is the last
        kinds = occurs[:-1].nonzero()[:, 0]
        places = pieces.new_full((len(features) + 1,), len(kinds))
        places[kinds] = torch.arange(len(kinds), device=pieces.device)
        encoded = functional.pad(self.encode(features[kinds]), (0, 0, 0, 1))
        return functional.embedding_bag(places[pieces], encoded, mode="sum")

    def forward(
        self, features: Float[Tensor, "kinds features"], pieces: Int[Tensor, "shards most"]
    ) -> Float[Tensor, " shards"]:
        """ms of each shard, 0 of an empty one.

        Parameters
        ----------
        features
            Of every kind of piece.
        pieces
            Places in ``features``, padded by -1.
        """
        return torch.where((pieces >= 0).any(1), self.price(self.sums(features, pieces)), 0.0)


def occurring(features: Float[Tensor, "kinds features"], pieces: Int[Tensor, "shards most"]) -> Tensor:
    """Features of the kinds that some shard holds."""
    return features[pieces[pieces >= 0].unique()]
