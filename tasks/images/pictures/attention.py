"""Where the [CLS] token looks."""

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


def cls_attention(
    weights: Float[Tensor, "batch heads tokens tokens"], grid: tuple[int, int]
) -> Float[Tensor, "batch heads rows columns"]:
    """Attention of [CLS] (token 0) to every patch, as maps; what it pays to itself is left out.

    Raises
    ------
    ConfigError
        There are not as many patches as ``grid`` has places.
    """
    to_patches = weights[:, :, 0, 1:]
    if to_patches.shape[-1] != grid[0] * grid[1]:
        raise ConfigError(
            f"attention to {to_patches.shape[-1]} patches does not fill the grid of {grid[0]} by {grid[1]} patches"
        )
    return to_patches.unflatten(-1, grid)


def attention_figure(
    images: Float[Tensor, "batch channels height width"], maps: Float[Tensor, "batch heads rows columns"]
) -> bytes:
    """PNG with a row per image: the image, the mean over the heads, every head; each map scaled to its largest weight."""
    heads = maps.shape[1]
    figure, grid = mosaic(len(images), 2 + heads)
    shown = torch.cat([maps.mean(1, keepdim=True), maps], 1).float()
    shown = shown / shown.amax((2, 3), keepdim=True).clamp(min=1e-12)
    shown = functional.interpolate(shown, images.shape[2:], mode="nearest")
    titles = ["mean", *(f"head {head + 1}" for head in range(heads))]
    for row, axes in enumerate(grid):
        show(axes[0], images[row], "image" if row == 0 else "")
        for column, title in enumerate(titles):
            show(axes[column + 1], shown[row, column][None], title if row == 0 else "")
    return png(figure)


@final
@dataclass(frozen=True)
class AttentionPicture(Picture):
    """Attention of [CLS] in the last block of a vision transformer, on test images.

    Parameters
    ----------
    images
        Rows.
    """

    images: int = 6

    def draw(self, parts: FeatureParts, metrics: Mapping[str, float]) -> bytes | None:
        """PNG; None where the encoder is no vision transformer."""
        images = parts.images_of("attention")
        encoder = images.encoder
        if not isinstance(encoder, PatchEncoder):
            return None
        rows = spread_over(images.test, self.images)
        batch = next(images.clean(images.test.take(rows)))
        with torch.no_grad():
            weights = encoder.attention(batch)[-1].cpu()
        side = images.size // encoder.patch
        return attention_figure(images.colours(images.test, rows), cls_attention(weights, (side, side)))
