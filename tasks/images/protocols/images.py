"""The encoder and the images behind cached features, for protocols that must look at images again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from data.images.files import FolderImages
from data.images.source import ImageSet
from data.images.views.view import View
from data.images.views.view_set import ViewSet, normalize

CROP_AND_FLIP = ViewSet(crop_and_flip=View())
"""What supervised training sees: crops of 8 to 100 % of the area, resized, half of them mirrored."""


@dataclass(frozen=True, eq=False)
class ImageParts:
    """An encoder, frozen, and the images of the three parts.

    Parameters
    ----------
    encoder
        f, in evaluation mode, on ``device``.
    projector
        g; None where there is none.
    recipe
        What was trained, of which f and g are parts; None where there is no more than an encoder.
    train, validation, test
        Images in the order of their features.
    size
        Height and width of what the encoder sees.
    mean, std
        Of the channels, for the normalisation.
    device
        Where the encoder is.
    views
        What the recipe was trained with; None where it is not known.
    batch_size
        Images at a time.
    """

    encoder: nn.Module
    train: ImageSet
    validation: ImageSet
    test: ImageSet
    size: int
    mean: Sequence[float]
    std: Sequence[float]
    device: torch.device
    projector: nn.Module | None = None
    recipe: nn.Module | None = None
    views: ViewSet | None = None
    batch_size: int = 256

    def trained_on(self, indices: Int[Tensor, " chosen"]) -> ImageParts:
        """The same with some of the training images only."""
        return replace(self, train=self.train.take(indices))

    def clean(self, images: ImageSet) -> Iterator[Float[Tensor, "batch 3 size size"]]:
        """Normalised batches of whole images, in order, on the device."""
        for start in range(0, len(images), self.batch_size):
            colours = images.images[start : start + self.batch_size].to(self.device).float() / 255
            yield normalize(colours, self.mean, self.std)

    def viewed(
        self, images: ImageSet, rows: Int[Tensor, " batch"], views: ViewSet, seed: int, epoch: int
    ) -> Float[Tensor, "batch 3 size size"]:
        """The first of the random views of some images, normalised, on the device."""
        sizes = None
        if isinstance(images.images, FolderImages):
            pixels, sizes = images.images.padded(rows.tolist())
            sizes = sizes.to(self.device)
        else:
            pixels = images.images[rows]
        pixels, samples = pixels.to(self.device), rows.to(self.device)
        return views(pixels, samples, seed, epoch, self.size, self.mean, self.std, sizes)[0]

    def cropped(self, rows: Int[Tensor, " batch"], seed: int, epoch: int) -> Float[Tensor, "batch 3 size size"]:
        """Random crops of training images, half of them mirrored."""
        return self.viewed(self.train, rows, CROP_AND_FLIP, seed, epoch)

    def denormalised(self, images: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 3 size size"]:
        """Colours on [0, 1], on the host, of normalised images."""
        shift, scale = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        return images.cpu().float() * scale + shift

    def colours(self, images: ImageSet, rows: Sequence[int] | Tensor) -> Float[Tensor, "batch 3 size size"]:
        """Some images as they are, colours on [0, 1], on the host."""
        return images.images[torch.as_tensor(rows)].float() / 255
