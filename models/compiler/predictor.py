"""The contract of networks that score sequences, and the one that sees counts (docs/papers/pass_order.md#3.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.encoders.mlp import mlp


class PassPredictor(nn.Module, ABC):
    """Abstract: scores of the sequences of one coreset for programs that a view shows.

    Parameters
    ----------
    sequences
        Most sequences of the coreset; scores of more than it has are not used.
    """

    coreset: Int64[Tensor, ""]

    def __init__(self, sequences: int) -> None:
        super().__init__()
        self.sequences = sequences
        self.register_buffer("coreset", torch.tensor(0))

    def fit(self, views: Any) -> None:
        """A hook: measure constants of a batch of all training programs."""

    @abstractmethod
    def forward(self, views: Any) -> Float[Tensor, "programs sequences"]:
        """Scores; of two sequences the larger is expected to leave fewer instructions."""


class CountsPredictor(PassPredictor):
    """Two perceptrons one after the other: what an encoder gives, and a head of two layers.

    Parameters
    ----------
    features
        Counts that it sees, each over the program's instructions.
    sequences
        Scores that it gives.
    width
        Of the hidden layers.
    """

    def __init__(self, features: int, sequences: int = 50, width: int = 256) -> None:
        super().__init__(sequences)
        self.encoder = mlp([features, width], active=True)
        self.head = mlp([width, width, sequences])

    def forward(self, views: Float[Tensor, "programs features"]) -> Float[Tensor, "programs sequences"]:
        """See :class:`PassPredictor`."""
        scores: Tensor = self.head(self.encoder(views))
        return scores
