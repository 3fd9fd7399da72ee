"""Where a token stands, as a vector added to its embedding."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def sinusoidal_positions(length: int, width: int) -> Float[Tensor, "length width"]:
    """Sines in the even columns and cosines in the odd ones, of frequencies from 1 down to 1 / 10,000.

    References
    ----------
    Vaswani et al., Attention is all you need (2017), section 3.5.
    """
    columns = torch.arange(0, width, 2, dtype=torch.float64)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * torch.exp(-columns * math.log(10_000) / width)
    positions = torch.empty(length, width, dtype=torch.float64)
    positions[:, 0::2] = angles.sin()
    positions[:, 1::2] = angles[:, : width // 2].cos()
    return positions.float()


def grid_positions(rows: int, columns: int, width: int) -> Float[Tensor, "rows*columns width"]:
    """Positions on a grid, row by row: the first half of a vector encodes the column, the second the row.

    Each half has sines, then cosines, of frequencies from 1 down towards 1 / 10,000; ``width`` is a multiple of 4.

    Raises
    ------
    ValueError
        ``width`` is no multiple of 4.
    """
    if width % 4:
        raise ValueError(f"width is {width}; positions on a grid need a multiple of 4")
    frequencies = 10_000 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))

    def encoded(places: int) -> Tensor:
        angles = torch.arange(places, dtype=torch.float64)[:, None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    across = encoded(columns)[None].expand(rows, -1, -1)
    down = encoded(rows)[:, None].expand(-1, columns, -1)
    return torch.cat([across, down], dim=2).flatten(0, 1).float()
