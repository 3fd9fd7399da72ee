"""Features of the clean images of a data set's three parts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from runs.errors import ConfigError
from tasks.images.representation.spectrum import require_finite

if TYPE_CHECKING:
    from tasks.images.protocols.images import ImageParts


@dataclass(frozen=True, eq=False)
class Features:
    """What an encoder makes of some images, in their order.

    Parameters
    ----------
    h
        (images, width), used downstream.
    labels
        (images,) classes; None where the images have none.
    z
        (images, dimension) behind the projector; None where there is no projector.
    """

    h: Float[Tensor, "images width"]
    labels: Int[Tensor, " images"] | None = None
    z: Float[Tensor, "images dimension"] | None = None

    def __len__(self) -> int:
        return len(self.h)

    def classes_of(self, protocol: str) -> Int[Tensor, " images"]:
        """The labels, for a protocol that cannot do without.

        Raises
        ------
        ConfigError
            There are none.
        """
        if self.labels is None:
            raise ConfigError(
                f"protocol {protocol} needs labels and these images have none; sort the images into a folder per class, or "
                "choose label-free protocols (RankMe, alpha-ReQ, LiDAR, collapse)"
            )
        return self.labels

    def rows(self, indices: Int[Tensor, " chosen"]) -> Features:
        """Some of the images."""
        labels = None if self.labels is None else self.labels[indices]
        return Features(self.h[indices], labels, None if self.z is None else self.z[indices])


HOST = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class FeatureParts:
    """Features to fit on, to choose on and to judge on.

    Parameters
    ----------
    train, validation, test
        The three parts.
    classes
        Number of classes; 0 without labels.
    images
        The encoder and the images behind the features, for protocols that need them; None where features are all there is.
    device
        Where protocols compute; the features themselves lie on the host.
    """

    train: Features
    validation: Features
    test: Features
    classes: int
    images: ImageParts | None = None
    device: torch.device = HOST

    def images_of(self, protocol: str) -> ImageParts:
        """Encoder and images, for a protocol that cannot do without.

        Raises
        ------
        ConfigError
            Only features are at hand.
        """
        if self.images is None:
            raise ConfigError(
                f"protocol {protocol} needs the encoder and the images, and there are only features of them"
            )
        return self.images

    def trained_on(self, indices: Int[Tensor, " chosen"]) -> FeatureParts:
        """The same with some of the training images only."""
        images = None if self.images is None else self.images.trained_on(indices)
        return replace(self, train=self.train.rows(indices), images=images)


Batch = tuple[Tensor, Tensor | None, Tensor]
"""Normalised images (B, C, H, W), labels (B,) or None, positions (B,)."""


def extract(
    encoder: nn.Module,
    loader: Iterable[Batch],
    device: torch.device | str = "cpu",
    projector: nn.Module | None = None,
    half: bool = False,
) -> Features:
    """Features of all images of ``loader``, on the host.

    Parameters
    ----------
    encoder, projector
        f and g, on ``device``; see :func:`batch_features`.
    half
        Round features to float16, as kept in the cache.

    Raises
    ------
    ConfigError
        The loader is empty, or a feature is not finite.
    """
    return joined(batch_features(encoder, loader, device, projector, half))


def batch_features(
    encoder: nn.Module,
    loader: Iterable[Batch],
    device: torch.device | str = "cpu",
    projector: nn.Module | None = None,
    half: bool = False,
) -> list[Features]:
    """Features, batch by batch.

    Networks run in evaluation mode, without gradients and in their own precision whatever autocast surrounds the call; the
    modes of their modules are afterwards as they were.
    """
    batches = []
    with evaluating(encoder, projector), torch.autocast(torch.device(device).type, enabled=False), torch.no_grad():
        for images, labels, _ in loader:
            h = encoder(images.to(device, non_blocking=True))
            z = None if projector is None else _on_host(projector(h), half)
            batches.append(Features(_on_host(h, half), labels, z))
    return batches


@contextlib.contextmanager
def evaluating(*networks: nn.Module | None) -> Iterator[None]:
    """Networks in evaluation mode; afterwards every module is in the mode it was in."""
    modules = [module for network in networks if network is not None for module in network.modules()]
    training = [module for module in modules if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


def joined(batches: Sequence[Features]) -> Features:
    """The features of several batches, one after the other.

    Raises
    ------
    ConfigError
        There is none, or a feature is not finite.
    """
    if not batches:
        raise ConfigError("there is no image to extract features of; give data with at least one image in every part")
    whole = Features(
        torch.cat([batch.h for batch in batches]),
        _together([batch.labels for batch in batches]),
        _together([batch.z for batch in batches]),
    )
    for name, features in (("h", whole.h), ("z", whole.z)):
        if features is not None:
            require_finite(features, f"features {name}")
    return whole


def _on_host(features: Tensor, half: bool) -> Tensor:
    return (features.half() if half else features).to("cpu", torch.float32)


def _together(parts: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None
