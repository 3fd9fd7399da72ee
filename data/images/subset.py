"""Equally many images of each class, and the cut between training and validation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from data.images.source import ImageSet, ImageSource
from runs.errors import ConfigError


class Subset(ImageSource):
    """So many images per class of another source; a smaller number gives a subset of a larger one's.

    Parameters
    ----------
    source
        The whole.
    train_per_class, test_per_class
        Images per class; None for all.
    seed
        Of the choice.
    """

    def __init__(
        self, source: ImageSource, train_per_class: int | None, test_per_class: int | None = None, seed: int = 0
    ) -> None:
        self.source, self.seed = source, seed
        self.train_per_class, self.test_per_class = train_per_class, test_per_class

    def train(self) -> ImageSet:
        """The chosen training images."""
        return _chosen(self.source.train(), self.train_per_class, self.seed)

    def test(self) -> ImageSet:
        """The chosen test images."""
        return _chosen(self.source.test(), self.test_per_class, self.seed + 1)


def per_class(labels: Int[Tensor, " images"], counts: Sequence[int], seed: int) -> Int[Tensor, " chosen"]:
    """Indices, ascending, of ``counts[c]`` images of each class c.

    Raises
    ------
    ConfigError
        A class has fewer images.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for label, count in enumerate(counts):
        members = (labels == label).nonzero()[:, 0]
        if not 0 <= count <= len(members):
            raise ConfigError(f"{count} images of class {label} are wanted; it has {len(members)}")
        chosen.append(members[torch.randperm(len(members), generator=generator)[:count]])
    return torch.cat(chosen).sort().values


def split(images: ImageSet, fraction: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """The rest, and ``fraction`` of the images of each class (of all, where there are no labels).

    Raises
    ------
    ConfigError
        ``fraction`` is not on [0, 1), or leaves a set without any image.
    """
    if not 0 <= fraction < 1:
        raise ConfigError(f"the fraction to hold out is {fraction}; give a number from 0, and below 1")
    labels = torch.zeros(len(images), dtype=torch.long) if images.labels is None else images.labels
    counts = [round(fraction * count) for count in torch.bincount(labels).tolist()]
    held = torch.zeros(len(images), dtype=torch.bool)
    held[per_class(labels, counts, seed)] = True
    if fraction and not 0 < int(held.sum()) < len(images):
        raise ConfigError(
            f"{images.name}: of {len(images)} images a fraction of {fraction} of each class holds out {int(held.sum())}; "
            "give another fraction or more images"
        )
    return images.take((~held).nonzero()[:, 0]) if fraction else images, images.take(held.nonzero()[:, 0])


def _chosen(images: ImageSet, count: int | None, seed: int) -> ImageSet:
    if count is None:
        return images
    return images.take(per_class(labels_of(images, "per_class"), [count] * len(images.classes), seed))


def labels_of(images: ImageSet, wanted_by: str) -> Int[Tensor, " images"]:
    """The labels of a set.

    Raises
    ------
    ConfigError
        It has none; names who wants them.
    """
    if images.labels is None:
        raise ConfigError(
            f"{wanted_by} needs labels, and {images.name} has none; put the images into a folder per class"
        )
    return images.labels
