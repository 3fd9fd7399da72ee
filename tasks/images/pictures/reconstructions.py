"""What a masked autoencoder makes of the patches it did not see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, final, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from runs.figures import png
from tasks.images.pictures.mosaic import mosaic, show
from tasks.images.pictures.picture import PatchEncoder, Picture, spread_over
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.seeding import seeded

HIDDEN = 0.5
"""Grey of what the encoder did not see."""


class Reconstructed(NamedTuple):
    """Normalised images with hidden patches as they were predicted, and which were hidden (batch, patches)."""

    images: Tensor
    mask: Tensor


@runtime_checkable
class Reconstructs(Protocol):
    """A recipe that predicts pixels."""

    def reconstruct(self, images: Tensor) -> Reconstructed:
        """Of normalised images (batch, channels, height, width)."""


def reconstructions_figure(
    images: Float[Tensor, "batch channels height width"],
    visible: Float[Tensor, "batch channels height width"],
    reconstructed: Float[Tensor, "batch channels height width"],
) -> bytes:
    """PNG with a column per image: the image, what was visible of it, the reconstruction; colours on [0, 1]."""
    figure, grid = mosaic(3, len(images))
    for row, (title, shown) in enumerate((("image", images), ("visible", visible), ("reconstructed", reconstructed))):
        for column in range(len(images)):
            show(grid[row, column], shown[column], title if column == 0 else "")
    return png(figure)


def without_hidden(
    images: Float[Tensor, "batch channels height width"], mask: Bool[Tensor, "batch patches"], patch: int
) -> Float[Tensor, "batch channels height width"]:
    """Images whose hidden patches are grey."""
    rows, columns = images.shape[2] // patch, images.shape[3] // patch
    hidden = mask.unflatten(1, (rows, columns)).repeat_interleave(patch, 1).repeat_interleave(patch, 2)
    return images.masked_fill(hidden[:, None], HIDDEN)


@final
@dataclass(frozen=True)
class Reconstructions(Picture):
    """Hidden patches of test images as a masked autoencoder predicts them.

    Parameters
    ----------
    images
        Columns.
    seed
        Of what is hidden.
    """

    images: int = 8
    seed: int = 0

    def draw(self, parts: FeatureParts, metrics: Mapping[str, float]) -> bytes | None:
        """PNG; None where the recipe predicts no pixels."""
        images = parts.images_of("reconstructions")
        if not isinstance(images.recipe, Reconstructs) or not isinstance(images.encoder, PatchEncoder):
            return None
        rows = spread_over(images.test, self.images)
        with torch.no_grad(), seeded(self.seed, images.device):
            made = images.recipe.reconstruct(next(images.clean(images.test.take(rows))))
        colours = images.colours(images.test, rows)
        visible = without_hidden(colours, made.mask.cpu(), images.encoder.patch)
        return reconstructions_figure(colours, visible, images.denormalised(made.images))
