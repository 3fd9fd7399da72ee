"""Patch tokens as colours: their first three principal components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from runs.errors import ConfigError
from runs.figures import png
from tasks.images.pictures.mosaic import mosaic, show
from tasks.images.pictures.picture import PatchEncoder, Picture, spread_over
from tasks.images.protocols.features import FeatureParts


def pca_colours(tokens: Float[Tensor, "batch patches width"]) -> Float[Tensor, "batch patches 3"]:
    """First three principal components of all tokens of all images together, each stretched to [0, 1].

    A component's sign is such that its entry of largest size is positive, so that the map is determined.

    Raises
    ------
    ConfigError
        Tokens have fewer than three dimensions, or there are fewer than three.
    """
    flat = tokens.double().flatten(0, 1)
    if min(flat.shape) < 3:
        raise ConfigError(
            f"a map of principal components needs 3 tokens of 3 dimensions; these are {tuple(flat.shape)}"
        )
    flat = flat - flat.mean(0)
    _, vectors = torch.linalg.eigh(flat.T @ flat)
    axes = vectors.flip(1)[:, :3]
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    components = flat @ axes
    low, high = components.amin(0), components.amax(0)
    return ((components - low) / (high - low).clamp(min=1e-12)).view(*tokens.shape[:2], 3).to(tokens.dtype)


def pca_map_figure(
    images: Float[Tensor, "batch channels height width"],
    tokens: Float[Tensor, "batch patches width"],
    grid: tuple[int, int],
) -> bytes:
    """PNG with the images above the maps of their patches' tokens (without [CLS]); equal colours, similar tokens."""
    colours = pca_colours(tokens).transpose(1, 2).unflatten(2, grid)
    colours = functional.interpolate(colours, images.shape[2:], mode="nearest")
    figure, panels = mosaic(2, len(images))
    for column in range(len(images)):
        show(panels[0, column], images[column])
        show(panels[1, column], colours[column])
    return png(figure)


@final
@dataclass(frozen=True)
class PCAMap(Picture):
    """Patch tokens of a vision transformer after its last norm, on test images.

    Parameters
    ----------
    images
        Columns.
    """

    images: int = 8

    def draw(self, parts: FeatureParts, metrics: Mapping[str, float]) -> bytes | None:
        """PNG; None where the encoder is no vision transformer."""
        images = parts.images_of("pca_map")
        encoder = images.encoder
        if not isinstance(encoder, PatchEncoder):
            return None
        rows = spread_over(images.test, self.images)
        with torch.no_grad():
            tokens = encoder.tokens(next(images.clean(images.test.take(rows))))[:, 1:].cpu()
        side = images.size // encoder.patch
        return pca_map_figure(images.colours(images.test, rows), tokens, (side, side))
