"""Views of a row: some of its features hidden, each view other ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from data.images.views.random_keys import uniforms
from runs.errors import ConfigError


@dataclass(frozen=True)
class FeatureMasking:
    """Each feature is hidden with a probability, independently; what is hidden becomes the mean, 0 once standardised.

    Parameters
    ----------
    count
        Number of views.
    share
        Probability of a feature to be hidden; 0 leaves the rows as they are.

    Raises
    ------
    ConfigError
        There is no view, or the share is outside [0, 1).
    """

    count: int = 2
    share: float = 0.3

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.share < 1:
            raise ConfigError(
                f"data.masking: count is {self.count} and share {self.share}; give at least one view, and 0 <= share < 1"
            )

    def __call__(
        self, rows: Float[Tensor, "batch features"], samples: Int[Tensor, " batch"], seed: int, epoch: int
    ) -> tuple[Float[Tensor, "batch features"], ...]:
        """The views of standardised rows; a sample's depend on seed, epoch, its index and the view's number alone."""
        return tuple(
            torch.where(uniforms(seed, epoch, samples, view, rows.shape[1]) < self.share, 0.0, rows)
            for view in range(self.count)
        )
