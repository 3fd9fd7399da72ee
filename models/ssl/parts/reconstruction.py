"""Images with predicted pixels where patches were hidden."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from models.encoders.patches import grid_of, patchify, unpatchify


class Reconstruction(NamedTuple):
    """Images with predicted pixels where patches were hidden, and which were."""

    images: Float[Tensor, "batch channels height width"]
    mask: Bool[Tensor, "batch patches"]


def reconstruction(
    images: Float[Tensor, "batch channels height width"],
    mask: Bool[Tensor, "batch patches"],
    predicted: Float[Tensor, "batch hidden pixels"],
    patch: int,
) -> Reconstruction:
    """``images`` whose patches under ``mask``, in the order of the grid, are those ``predicted``."""
    patches = patchify(images, patch).clone()
    patches[mask] = predicted.flatten(0, 1).to(patches.dtype)
    return Reconstruction(unpatchify(patches, patch, grid_of(images.shape[2], images.shape[3], patch)), mask)
