"""Hidden rectangles of random size and place (beit, data2vec, ibot)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.encoders.shared_draw import shared_uniform
from models.ssl.parts.masking.mask import hidden_count
from models.ssl.parts.masking.random import first_of


@dataclass(frozen=True)
class Blockwise:
    """Rectangles thrown until exactly so many patches are hidden.

    Parameters
    ----------
    share
        Of the patches that are hidden.
    smallest
        Area of a rectangle at least, over the grid's; at most it is all that is to be hidden.
    aspect
        Height over width at least; at most its inverse.

    References
    ----------
    Bao et al., BEiT: BERT pre-training of image transformers (2022), algorithm 1.
    """

    share: float = 0.4
    smallest: float = 0.08
    aspect: float = 0.3

    def __call__(
        self, rows: int, grid: tuple[int, int], device: torch.device, views: int = 1
    ) -> Bool[Tensor, "rows patches"]:
        """Hidden patches."""
        patches = grid[0] * grid[1]
        counts = torch.full((rows,), hidden_count(self.share, patches), device=device)
        return blockwise(counts, grid, self.smallest, self.aspect, views=views)


def blockwise(
    counts: Int[Tensor, " rows"],
    grid: tuple[int, int],
    smallest: float = 0.08,
    aspect: float = 0.3,
    rectangles: int = 16,
    views: int = 1,
) -> Bool[Tensor, "rows patches"]:
    """Masks that hide exactly ``counts`` patches each.

    The patches of earlier rectangles are hidden first; of the rectangle that would exceed the count some at random, and some
    anywhere if all rectangles together cover too little.
    """
    rows, device = len(counts), counts.device
    patches = grid[0] * grid[1]
    draws = shared_uniform(rows, rectangles, 4, views=views, device=device)
    least = math.ceil(smallest * patches)
    area = least + draws[..., 0] * (counts[:, None] - least).clamp(min=0)
    ratio = torch.exp(math.log(aspect) * (2 * draws[..., 1] - 1))
    inside = rectangle(area, ratio, draws[..., 2], draws[..., 3], grid)
    thrown = torch.arange(rectangles, device=device)[:, None].expand(-1, patches)
    covered_by = torch.where(inside, thrown, rectangles).amin(1)
    return first_of(covered_by + shared_uniform(rows, patches, views=views, device=device), counts[:, None])


def rectangle(
    area: Float[Tensor, "*rows"],
    ratio: Float[Tensor, "*rows"],
    down: Float[Tensor, "*rows"],
    across: Float[Tensor, "*rows"],
    grid: tuple[int, int],
) -> Bool[Tensor, "*rows patches"]:
    """Patches inside rectangles of an area (in patches) and a ratio of height to width, cut to the grid.

    ``down`` and ``across`` in [0, 1) say where they lie, between one edge of the grid and the other.
    """
    height = (area * ratio).sqrt().round().clamp(1, grid[0])
    width = (area / ratio).sqrt().round().clamp(1, grid[1])
    top, left = (down * (grid[0] - height + 1)).floor(), (across * (grid[1] - width + 1)).floor()
    row, column = (torch.arange(side, device=area.device) for side in grid)
    in_rows = (row >= top[..., None]) & (row < (top + height)[..., None])
    in_columns = (column >= left[..., None]) & (column < (left + width)[..., None])
    return (in_rows[..., :, None] & in_columns[..., None, :]).flatten(-2)
