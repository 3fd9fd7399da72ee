"""A set of images and where one comes from."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from data.images.files import FolderImages
from runs.errors import InvalidProblem


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images in a fixed order.

    Parameters
    ----------
    images
        (images, 3, height, width), in memory or mapped, or files that are decoded when they are indexed.
    labels
        (images,) indices into ``classes``; None where the images have none.
    classes
        Their names.
    name
        Of the set.
    """

    images: UInt8[Tensor, "images 3 height width"] | FolderImages
    labels: Int[Tensor, " images"] | None
    classes: tuple[str, ...]
    name: str

    def validate(self) -> None:
        """Check shapes and labels.

        Raises
        ------
        InvalidProblem
            There is no image, or a field breaks its format: names it.
        """
        shape = tuple(self.images.shape)
        if len(self.images) == 0 or len(shape) != 4 or shape[1] != 3:
            raise InvalidProblem(f"{self.name}: images are of shape {shape}; (at least 1, 3, height, width) is needed")
        if isinstance(self.images, Tensor) and self.images.dtype != torch.uint8:
            raise InvalidProblem(f"{self.name}: images are {self.images.dtype}; they must be uint8")
        if self.labels is None:
            return
        if self.labels.shape != shape[:1]:
            raise InvalidProblem(
                f"{self.name}: {len(self.labels)} labels for {shape[0]} images; there must be one each"
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= len(self.classes):
            wrong = low if low < 0 else high
            raise InvalidProblem(f"{self.name}: a label is {wrong}; there are {len(self.classes)} classes, from 0")

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def take(self, indices: Int[Tensor, " chosen"]) -> ImageSet:
        """The images at ``indices``, in that order."""
        images = self.images.take(indices) if isinstance(self.images, FolderImages) else self.images[indices]
        return replace(self, images=images, labels=None if self.labels is None else self.labels[indices])

    @cached_property
    def identity(self) -> str:
        """Hash of images, labels and classes: what is computed from a set may be kept under it.

        Files on disk count by name, size and time of change.
        """
        digest = hashlib.sha256(repr((tuple(self.images.shape), self.classes)).encode())
        if isinstance(self.images, FolderImages):
            digest.update(self.images.identity.encode())
        else:
            digest.update(self.images.contiguous().numpy())
        if self.labels is not None:
            digest.update(self.labels.contiguous().numpy())
        return digest.hexdigest()


class ImageSource(ABC):
    """Images to train on and images to test on."""

    @abstractmethod
    def train(self) -> ImageSet:
        """Images to train on, validation not yet cut off."""

    @abstractmethod
    def test(self) -> ImageSet:
        """Images for the last judgement."""
