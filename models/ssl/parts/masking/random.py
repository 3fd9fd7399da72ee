"""Patches hidden independently of each other (mae, msn)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from models.encoders.shared_draw import shared_uniform
from models.ssl.parts.masking.mask import hidden_count


@dataclass(frozen=True)
class RandomMasking:
    """Every set of so many patches is equally likely.

    Parameters
    ----------
    share
        Of the patches that are hidden.
    """

    share: float

    def __call__(
        self, rows: int, grid: tuple[int, int], device: torch.device, views: int = 1
    ) -> Bool[Tensor, "rows patches"]:
        """Hidden patches."""
        patches = grid[0] * grid[1]
        return first_of(shared_uniform(rows, patches, views=views, device=device), hidden_count(self.share, patches))


def first_of(priority: Shaped[Tensor, "rows patches"], count: int | Tensor) -> Bool[Tensor, "rows patches"]:
    """The ``count`` patches of lowest priority number of every row; ``count`` may be one number per row, (rows, 1)."""
    return priority.argsort(1).argsort(1) < count
