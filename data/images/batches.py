"""Batches of images before views are drawn, and of clean ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from data.images.files import FolderImages
from data.images.source import ImageSet
from data.images.views.view_set import normalize


class Stored(NamedTuple):
    """A training batch as the loader gives it, before any view is drawn.

    Parameters
    ----------
    images
        (batch, 3, height, width); where images are of several sizes each lies in the upper left of its frame.
    labels
        (batch,), or None.
    indices
        (batch,) in the training set.
    sizes
        (batch, 2) heights and widths; None where all images fill their frames.
    """

    images: UInt8[Tensor, "batch 3 height width"]
    labels: Int[Tensor, " batch"] | None
    indices: Int[Tensor, " batch"]
    sizes: Int[Tensor, "batch 2"] | None


class TrainingBatches(Dataset[Stored]):
    """Whole batches at once: one indexing instead of one per image."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, indices: list[int]) -> Stored:
        chosen, source = torch.tensor(indices), self.images.images
        labels = None if self.images.labels is None else self.images.labels[chosen]
        if isinstance(source, FolderImages):
            images, sizes = source.padded(indices)
            return Stored(images, labels, chosen, sizes)
        return Stored(source[chosen], labels, chosen, None)


class CleanBatches(Dataset[tuple[Tensor, Tensor | None, Tensor]]):
    """Normalised images, labels or None, and indices of whole batches."""

    def __init__(self, images: ImageSet, mean: Sequence[float], std: Sequence[float]) -> None:
        self.images, self.mean, self.std = images, mean, std

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, Tensor | None, Tensor]:
        chosen = torch.tensor(indices)
        images = normalize(self.images.images[chosen].float().div_(255), self.mean, self.std)
        return images, None if self.images.labels is None else self.images.labels[chosen], chosen
