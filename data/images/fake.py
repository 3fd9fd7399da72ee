"""Generated images: coloured shapes and textures, for machines without data and for tests."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from data.images.source import ImageSet, ImageSource
from runs.errors import ConfigError

CLASSES = ("disc", "square", "triangle", "ring", "cross", "stripes", "checks", "dots", "waves", "target")


class Fake(ImageSource):
    """A class is a shape or texture at a random place, size and angle, in two random colours, with noise.

    Colour says nothing about the class, so that only what survives colour jitter can tell classes apart.

    Parameters
    ----------
    size
        Height and width in pixels.
    classes
        How many of the ten.
    train_per_class, test_per_class
        Images of each.
    seed
        Of the images; the test images are others than those to train on.

    Raises
    ------
    ConfigError
        A number is out of range.
    """

    def __init__(self, size: int, classes: int, train_per_class: int, test_per_class: int, seed: int = 0) -> None:
        for name, value in (("size", size), ("train_per_class", train_per_class), ("test_per_class", test_per_class)):
            if value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1")
        if not 1 <= classes <= len(CLASSES):
            raise ConfigError(f"classes is {classes}; there are {len(CLASSES)}")
        self.size, self.classes, self.seed = size, CLASSES[:classes], seed
        self.train_per_class, self.test_per_class = train_per_class, test_per_class

    def train(self) -> ImageSet:
        """Images sorted by class."""
        return self._drawn("train", self.train_per_class, 2 * self.seed)

    def test(self) -> ImageSet:
        """Images sorted by class."""
        return self._drawn("test", self.test_per_class, 2 * self.seed + 1)

    def _drawn(self, split: str, count: int, seed: int) -> ImageSet:
        labels = torch.arange(len(self.classes)).repeat_interleave(count)
        generator = torch.Generator().manual_seed(seed)
        colours = draw(labels, self.size, generator)
        return ImageSet((colours * 255).round_().to(torch.uint8), labels, self.classes, f"fake-{split}")


def draw(
    labels: Int[Tensor, " images"], size: int, generator: torch.Generator
) -> Float[Tensor, "images 3 {size} {size}"]:
    """One image of each label, colours on [0, 1]."""
    count = len(labels)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    place = (torch.arange(size) + 0.5) / size * 2 - 1
    across, down = place[None, None, :] - uniform(-0.3, 0.3, 1, 1), place[None, :, None] - uniform(-0.3, 0.3, 1, 1)
    angle, scale = uniform(-0.35, 0.35, 1, 1), uniform(0.45, 0.75, 1, 1)
    x = (across * angle.cos() + down * angle.sin()) / scale
    y = (down * angle.cos() - across * angle.sin()) / scale
    inside = _shapes(x, y)[labels, torch.arange(count)][:, None]
    back = uniform(0.0, 1.0, 3, 1, 1)
    front = (back + 0.5 + 0.1 * torch.rand(count, 3, 1, 1, generator=generator)) % 1
    noise = 0.04 * torch.randn(count, 3, size, size, generator=generator)
    return (torch.where(inside, front, back) + noise).clamp_(0, 1)


def _shapes(x: Float[Tensor, "images size size"], y: Float[Tensor, "images size size"]) -> Tensor:
    """(classes, images, size, size) of truth: where each class's shape is, around the origin with radius about 1."""
    radius, square = (x**2 + y**2).sqrt(), torch.maximum(x.abs(), y.abs())
    wave = 2 * math.pi
    return torch.stack(
        [
            radius < 1,
            square < 0.85,
            (y < 0.7) & (y > 2 * x.abs() - 1),
            (radius < 1) & (radius > 0.6),
            (square < 1) & (torch.minimum(x.abs(), y.abs()) < 0.3),
            torch.sin(wave * 1.2 * y) > 0,
            (torch.sin(wave * 0.8 * x) > 0) ^ (torch.sin(wave * 0.8 * y) > 0),
            torch.sin(wave * 1.1 * x) * torch.sin(wave * 1.1 * y) > 0.4,
            torch.sin(wave * (0.9 * y + 0.25 * torch.sin(wave * 0.8 * x))) > 0,
            torch.sin(wave * 1.5 * radius) > 0,
        ]
    )
