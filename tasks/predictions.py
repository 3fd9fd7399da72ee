"""Predictions of a whole data set, gathered from all ranks in the order of the data."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class Predictions(Metric):
    """What was predicted of each sample, and what is true."""

    full_state_update = False
    places: list[Tensor]
    predicted: list[Tensor]
    true: list[Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for state in ("places", "predicted", "true"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def update(
        self, places: Int[Tensor, " batch"], predicted: Float[Tensor, "batch ..."], true: Float[Tensor, "batch ..."]
    ) -> None:
        """Add samples by their places in the data."""
        for state, values in (("places", places), ("predicted", predicted), ("true", true)):
            getattr(self, state).append(values)

    def compute(self) -> tuple[Float[Tensor, "samples ..."], Float[Tensor, "samples ..."]]:
        """Predictions and truth of all samples."""
        order = dim_zero_cat(self.places).argsort()
        return dim_zero_cat(self.predicted)[order], dim_zero_cat(self.true)[order]
