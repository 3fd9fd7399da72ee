"""Inputs of losses."""

from __future__ import annotations

import torch
from torch import Tensor


def rows(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in double precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
