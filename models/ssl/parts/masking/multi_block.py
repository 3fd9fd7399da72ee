"""A context block and several target blocks (ijepa)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from models.encoders.shared_draw import deal, own_rows
from models.ssl.parts.masking.blockwise import rectangle
from models.ssl.parts.masking.random import first_of
from runs.errors import ConfigError


class Blocks(NamedTuple):
    """Indices of patches: what the context encoder sees, and what is to be predicted."""

    context: Int[Tensor, "rows kept"]
    targets: Int[Tensor, "rows blocks area"]


@dataclass(frozen=True)
class MultiBlock:
    """Target blocks of one size for the batch, and a large square without them as the context.

    So that a batch is one tensor, every context is cut, at random, to the size of the smallest one of the batch.

    Parameters
    ----------
    targets
        Number of target blocks.
    target_area
        Range of their area over the grid's.
    target_aspect
        Range of their height over their width.
    context_area
        Range of the context's area over the grid's, before the targets are taken out.

    Raises
    ------
    ConfigError
        A range is not increasing, an area is not in (0, 1], or there are no targets.

    References
    ----------
    Assran et al., Self-supervised learning from images with a joint-embedding predictive architecture (2023), section 3.
    """

    targets: int = 4
    target_area: tuple[float, float] = (0.15, 0.2)
    target_aspect: tuple[float, float] = (0.75, 1.5)
    context_area: tuple[float, float] = (0.85, 1.0)

    def __post_init__(self) -> None:
        if self.targets < 1:
            raise ConfigError(f"masking.targets is {self.targets}; give at least 1")
        for name, most in (("target_area", 1.0), ("target_aspect", math.inf), ("context_area", 1.0)):
            low, high = getattr(self, name)
            if not 0 < low <= high <= most:
                raise ConfigError(f"masking.{name} is {[low, high]}; give an increasing range in (0, {most:g}]")

    def __call__(self, rows: int, grid: tuple[int, int], device: torch.device, views: int = 1) -> Blocks:
        """Context and targets of this rank's rows."""
        rows *= deal()[0]
        sizes = torch.rand(3, device=device)
        area = _between(self.target_area, sizes[0]) * grid[0] * grid[1]
        ratio = torch.exp(_between((math.log(self.target_aspect[0]), math.log(self.target_aspect[1])), sizes[1]))
        place = torch.rand(rows, self.targets + 1, 2, device=device)
        target = rectangle(area, ratio, place[:, 1:, 0], place[:, 1:, 1], grid)
        extent = _between(self.context_area, sizes[2]) * grid[0] * grid[1]
        context = rectangle(extent, torch.ones_like(extent), place[:, 0, 0], place[:, 0, 1], grid)
        free = ~target.any(1)
        # an image whose targets cover its context takes a patch outside it, or, where they cover a tiny grid, one of theirs
        order = 2.0 * ~free + 1.0 * ~context
        smallest = int((free & context).sum(1).amin().clamp(min=1))
        chosen = first_of(order + torch.rand(order.shape, device=device), smallest)
        return Blocks(own_rows(_indices(chosen), views), own_rows(_indices(target), views))


def _between(limits: tuple[float, float], share: Tensor) -> Tensor:
    return limits[0] + (limits[1] - limits[0]) * share


def _indices(mask: Tensor) -> Tensor:
    """Positions of the true entries of each row, of which every row has as many."""
    return mask.nonzero()[:, -1].view(*mask.shape[:-1], -1)
