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
