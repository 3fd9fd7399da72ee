"""What a cost network is held against: an affine function of sums over the pieces of a shard."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.regressor import ClosedForm, Inputs
from models.sharding.sum_of_pieces import SumOfPieces


class AffineCost(SumOfPieces, ClosedForm):
    """Least squares in the sums of features (docs/papers/neuroshard.md#4.4).

    Parameters
    ----------
    features
        Of a piece: their names in order, or how many.
    """

    weights: Tensor
    offset: Tensor

    def __init__(self, features: int | Sequence[str]) -> None:
        super().__init__(features, features if isinstance(features, int) else len(features))
        self.register_buffer("weights", torch.zeros(self.width))
        self.register_buffer("offset", torch.zeros(()))

    def fit_inputs(self, features: Float[Tensor, "kinds features"], pieces: Int[Tensor, "shards most"]) -> None:  # type: ignore[override]
        """Nothing: scales do not change least squares."""

    def solve(self, inputs: Inputs, targets: Float[Tensor, " shards"]) -> None:
        """Take weights and offset of least squares, in double precision."""
        sums = self.sums(inputs["features"].double(), inputs["pieces"])
        scale = sums.abs().amax(0).clamp_min(1e-12)
        design = torch.cat([sums / scale, torch.ones_like(sums[:, :1])], dim=1)
        found = torch.linalg.lstsq(design, targets.double()[:, None]).solution[:, 0]
        self.weights.copy_(found[:-1] / scale)
        self.offset.copy_(found[-1])

    def encode(self, pieces: Float[Tensor, "pieces features"]) -> Float[Tensor, "pieces width"]:
        """The features themselves."""
        return pieces

    def price(self, sums: Float[Tensor, "shards width"]) -> Float[Tensor, " shards"]:
        """ms of shards that hold something."""
        return sums @ self.weights + self.offset
