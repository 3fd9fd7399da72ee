"""Luminance, and images without colour."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

WEIGHTS = (0.2989, 0.587, 0.114)
"""Of red, green and blue (ITU-R 601-2)."""


def luminance(images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """Weighted sum of the channels."""
    red, green, blue = WEIGHTS
    gray = images[:, 0] * red
    return gray.add_(images[:, 1], alpha=green).add_(images[:, 2], alpha=blue)[:, None]


def grayscale(images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
    """All three channels are the luminance."""
    return luminance(images).expand_as(images)
