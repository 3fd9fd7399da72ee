"""Gaussian blur with a width per sample."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from data.images.views import separable


def gaussian_blur(
    images: Float[Tensor, "batch channels height width"], sigma: Float[Tensor, " batch"]
) -> Float[Tensor, "batch channels height width"]:
    """Convolve with a Gaussian of standard deviation ``sigma`` pixels, the image mirrored at its edges.

    The mirror repeats the pixel at the edge, and the Gaussian is not cut off.
    """
    height, width = images.shape[2:]
    rows = _weights(height, sigma)
    columns = rows if width == height else _weights(width, sigma)
    return separable.apply(images, rows, columns.transpose(1, 2))


def _weights(size: int, sigma: Float[Tensor, " batch"]) -> Float[Tensor, "batch {size} {size}"]:
    """Of each pixel over itself and its two nearest mirror images; what lies farther than a whole image is nothing."""
    place = torch.arange(2 * size, device=sigma.device)
    bell = torch.exp(-0.5 * (place / sigma[:, None]) ** 2)
    apart = (place[:size, None] - place[:size]).abs()
    mirrored = place[:size, None] + place[:size] + 1
    weight = bell[:, apart] + bell[:, mirrored] + bell[:, 2 * size - mirrored]
    return weight.div_(weight.sum(dim=-1, keepdim=True))
