"""Rectangles hidden in some images of a batch, more in some than in others (ibot, dinov2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from models.encoders.shared_draw import shared_uniform
from models.ssl.parts.masking.blockwise import blockwise
from runs.errors import ConfigError


@dataclass(frozen=True)
class SomeImages:
    """An image is masked with a probability, and then a uniformly drawn share of its patches is hidden in rectangles.

    Parameters
    ----------
    probability
        That an image is masked at all.
    share
        Range of the share of its patches.

    Raises
    ------
    ConfigError
        The probability is outside (0, 1], or the range is not increasing inside (0, 1).

    References
    ----------
    Zhou et al., iBOT: image BERT pre-training with online tokenizer (2022), section 4.
    """

    probability: float = 0.5
    share: tuple[float, float] = (0.1, 0.5)

    def __post_init__(self) -> None:
        low, high = self.share
        if not 0 < self.probability <= 1:
            raise ConfigError(f"masking.probability is {self.probability}; give a number in (0, 1]")
        if not 0 < low <= high < 1:
            raise ConfigError(f"masking.share is {[low, high]}; give an increasing range inside (0, 1)")

    def __call__(
        self, rows: int, grid: tuple[int, int], device: torch.device, views: int = 1
    ) -> Bool[Tensor, "rows patches"]:
        """Hidden patches; none in some rows, at least one in the others."""
        masked, where = shared_uniform(rows, 2, views=views, device=device).unbind(1)
        low, high = self.share
        count = ((low + (high - low) * where) * grid[0] * grid[1]).round().clamp(min=1).long()
        return blockwise(torch.where(masked < self.probability, count, 0), grid, views=views)
