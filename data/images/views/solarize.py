"""Solarise: the bright half of the colours is turned over."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def solarize(images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
    """1 - x where x is at least 1/2: the smaller of the two."""
    return torch.minimum(images, 1 - images)
