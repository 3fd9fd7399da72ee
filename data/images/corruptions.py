"""Corrupted images: noise, blur, contrast and JPEG at five severities.

The strengths are those of CIFAR-10-C up to 64 pixels and of ImageNet-C above (Hendrycks and Dietterich, ICLR 2019). Blur
mirrors the image at its edges.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from data.images.source import ImageSet, ImageSource
from data.images.views.blur import gaussian_blur
from runs.errors import ConfigError, nearest

SEVERITIES = 5
LARGEST_SMALL = 64
STRENGTHS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "noise": ((0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)),
    "blur": ((0.4, 0.6, 0.7, 0.8, 1.0), (1, 2, 3, 4, 6)),
    "contrast": ((0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),
    "jpeg": ((80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
}
"""By kind: standard deviation, standard deviation in pixels, factor, quality; for small images, for large ones."""
CHUNK = 256


class Corrupted(ImageSource):
    """Another source whose test images are corrupted.

    Parameters
    ----------
    source
        The clean images; those to train on stay clean.
    kind
        One of ``STRENGTHS``.
    severity
        1 to 5.
    seed
        Of the noise.

    Raises
    ------
    ConfigError
        ``kind`` or ``severity`` is unknown.
    """

    def __init__(self, source: ImageSource, kind: str, severity: int, seed: int = 0) -> None:
        _check(kind, severity)
        self.source, self.kind, self.severity, self.seed = source, kind, severity, seed

    def train(self) -> ImageSet:
        """Clean."""
        return self.source.train()

    def test(self) -> ImageSet:
        """Corrupted."""
        return corrupted(self.source.test(), self.kind, self.severity, self.seed)


def corrupted(images: ImageSet, kind: str, severity: int, seed: int = 0) -> ImageSet:
    """The set with all its images corrupted; see :class:`Corrupted`. It is held in memory."""
    _check(kind, severity)
    generator = torch.Generator().manual_seed(seed)
    strength = STRENGTHS[kind][images.images.shape[-1] > LARGEST_SMALL][severity - 1]
    chunks = [
        corrupt(images.images[start : start + CHUNK], kind, strength, generator)
        for start in range(0, len(images), CHUNK)
    ]
    return replace(images, images=torch.cat(chunks), name=f"{images.name}-{kind}{severity}")


def corrupt(
    images: UInt8[Tensor, "batch 3 height width"], kind: str, strength: float, generator: torch.Generator
) -> UInt8[Tensor, "batch 3 height width"]:
    """Images corrupted with a given strength, cut to the range of colours and rounded."""
    colours = images.float() / 255
    return (_CORRUPTIONS[kind](colours, strength, generator) * 255).clamp_(0, 255).round_().to(torch.uint8)


Colours = Float[Tensor, "batch 3 height width"]


def _noise(images: Colours, deviation: float, generator: torch.Generator) -> Colours:
    return images + deviation * torch.randn(images.shape, generator=generator)


def _blur(images: Colours, sigma: float, generator: torch.Generator) -> Colours:
    return gaussian_blur(images, torch.full((len(images),), sigma))


def _contrast(images: Colours, factor: float, generator: torch.Generator) -> Colours:
    mean = images.mean(dim=(2, 3), keepdim=True)
    return (images - mean) * factor + mean


def _jpeg(images: Colours, quality: float, generator: torch.Generator) -> Colours:
    def again(image: Tensor) -> Tensor:
        stream = io.BytesIO()
        pixels = (image.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        Image.fromarray(pixels).save(stream, "JPEG", quality=int(quality))
        return torch.from_numpy(np.array(Image.open(stream))).permute(2, 0, 1)

    return torch.stack([again(image) for image in images]).float() / 255


_CORRUPTIONS: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "noise": _noise,
    "blur": _blur,
    "contrast": _contrast,
    "jpeg": _jpeg,
}


def _check(kind: str, severity: int) -> None:
    if kind not in STRENGTHS:
        raise ConfigError(f"corruption '{kind}' is unknown{nearest(kind, list(STRENGTHS))}")
    if severity not in range(1, SEVERITIES + 1):
        raise ConfigError(f"severity is {severity}; give 1 to {SEVERITIES}")
