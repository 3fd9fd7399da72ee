"""Hidden squares of a coarser grid (simmim)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from models.ssl.parts.masking.random import RandomMasking
from runs.errors import ConfigError


@dataclass(frozen=True)
class SquareBlocks:
    """Squares of ``block`` x ``block`` patches hidden independently of each other.

    Parameters
    ----------
    share
        Of the squares that are hidden.
    block
        Side of a square in patches; divides both sides of the grid. SimMIM's squares have 32 pixels of 192.
    """

    share: float
    block: int

    def __call__(
        self, rows: int, grid: tuple[int, int], device: torch.device, views: int = 1
    ) -> Bool[Tensor, "rows patches"]:
        """Hidden patches.

        Raises
        ------
        ConfigError
            The squares do not tile the grid.
        """
        if self.block < 1 or grid[0] % self.block or grid[1] % self.block:
            raise ConfigError(f"masking.block is {self.block}, which does not divide a grid of {grid[0]} x {grid[1]}")
        coarse = (grid[0] // self.block, grid[1] // self.block)
        squares = RandomMasking(self.share)(rows, coarse, device, views).unflatten(1, coarse)
        return squares.repeat_interleave(self.block, 1).repeat_interleave(self.block, 2).flatten(1)
