"""One random view of each image of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from data.images.views import crop, jitter
from data.images.views.blur import gaussian_blur
from data.images.views.gray import grayscale
from data.images.views.random_keys import uniforms
from data.images.views.solarize import solarize
from runs.errors import ConfigError, at_least

OTHER = 10
"""Uniform numbers of a sample besides its crop's."""
ORDER = 1
"""Purpose of the numbers that order the jitter."""
CACHED_PIXELS = 1 << 16
"""Pixels of views that a processor works on at once, so that they stay in its cache."""
CENTRES = (1.0, 1.0, 1.0, 0.0)
"""Where the factors of the jitter's four operations change nothing."""
JITTER_BOUNDS = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.5}


@dataclass(frozen=True)
class View:
    """Crop, flip, jitter, greyscale, blur, solarise, in this order, each with its probability and a strength per sample.

    The order of the four operations of the jitter is drawn per epoch and view: drawn per batch, as others do, it would make
    the views of a sample depend on its batch.

    Parameters
    ----------
    count
        How many views of this kind, which may be none; each has its own random numbers.
    size
        Height and width in pixels; None for those of the data.
    crop_scale, crop_ratio
        Share of the image's area, and width / height, of the crop.
    flip
        Probability of exchanging left and right.
    brightness, contrast, saturation
        Factors are uniform on 1 - b to 1 + b.
    hue
        Shifts are uniform on -h to h of a full circle.
    jitter, gray, blur, solarize
        Probabilities.
    blur_sigma
        Bounds of the blur's standard deviation in pixels.

    Raises
    ------
    ConfigError
        A value is outside its range: names it.
    """

    count: int = 1
    size: int | None = None
    crop_scale: Sequence[float] = (0.08, 1.0)
    crop_ratio: Sequence[float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    jitter: float = 0.8
    gray: float = 0.0
    blur: float = 0.0
    blur_sigma: Sequence[float] = (0.1, 2.0)
    solarize: float = 0.0

    def __post_init__(self) -> None:
        for name in ("flip", "jitter", "gray", "blur", "solarize"):
            _check(name, getattr(self, name), 0, 1)
        for name, bound in JITTER_BOUNDS.items():
            _check(name, getattr(self, name), 0, bound)
        at_least("views: ", count=(self.count, 0), size=(self.size, 1))
        _check_bounds("crop_scale", self.crop_scale, 1.0)
        _check_bounds("crop_ratio", self.crop_ratio)
        _check_bounds("blur_sigma", self.blur_sigma)

    def __call__(
        self,
        images: UInt8[Tensor, "batch 3 height width"],
        sizes: Int[Tensor, "batch 2"],
        samples: Int[Tensor, " batch"],
        seed: int,
        epoch: int,
        number: int,
        size: int,
    ) -> Float[Tensor, "batch 3 {size} {size}"]:
        """View ``number`` of the images, colours on [0, 1].

        Parameters
        ----------
        images
            What is stored; of each only the upper left ``sizes`` (height, width) counts, the rest is padding.
        samples
            Indices in the data set; with seed, epoch and number they determine what is drawn.
        size
            Height and width where the view itself names none.
        """
        draws = uniforms(seed, epoch, samples, number, crop.UNIFORMS + OTHER)
        order, size = jitter_order(seed, epoch, number), self.size or size
        boxes = crop.boxes(draws[:, OTHER:], sizes, tuple(self.crop_scale), tuple(self.crop_ratio))  # type: ignore[arg-type]
        if images.device.type != "cpu":
            return self._draw(images, boxes, draws[:, :OTHER], order, size)
        few = max(1, CACHED_PIXELS // size**2)
        parts = zip(*(values.split(few) for values in (images, boxes, draws[:, :OTHER])), strict=True)
        return torch.cat([self._draw(*crop.window(stored, box), drawn, order, size) for stored, box, drawn in parts])

    def _draw(
        self,
        images: UInt8[Tensor, "batch 3 height width"],
        boxes: Int[Tensor, "batch 4"],
        draws: Float[Tensor, "batch {OTHER}"],
        order: Sequence[int],
        size: int,
    ) -> Float[Tensor, "batch 3 {size} {size}"]:
        """The view of these boxes that the numbers ask for."""
        flip, jittered, *strengths, gray, blur, sigma, solar = draws.unbind(1)
        view = crop.crop_and_resize(images, boxes, flip < self.flip, size)
        if any(getattr(self, name) for name in JITTER_BOUNDS):
            _on_rows(view, jittered < self.jitter, [self._jitter(order), *strengths])
        _on_rows(view, gray < self.gray, [grayscale])
        low, high = self.blur_sigma
        _on_rows(view, blur < self.blur, [gaussian_blur, low + (high - low) * sigma])
        _on_rows(view, solar < self.solarize, [solarize])
        return view

    def _jitter(self, order: Sequence[int]) -> Callable[..., Tensor]:
        """The four operations in the given order; those of strength 0 are left out."""
        ranges = [getattr(self, name) for name in JITTER_BOUNDS]

        def apply(images: Tensor, *draws: Tensor) -> Tensor:
            for operation in order:
                if ranges[operation]:
                    factor = CENTRES[operation] + ranges[operation] * (2 * draws[operation] - 1)
                    images = jitter.OPERATIONS[operation](images, factor[:, None, None, None])
            return images

        return apply


@functools.lru_cache(maxsize=64)
def jitter_order(seed: int, epoch: int, number: int) -> tuple[int, ...]:
    """The order of the jitter's operations in an epoch and view."""
    draws = uniforms(seed, epoch, torch.zeros(1, dtype=torch.int64), number, len(JITTER_BOUNDS), ORDER)
    return tuple(draws[0].argsort().tolist())


def _on_rows(images: Tensor, chosen: Bool[Tensor, " batch"], call: Sequence[Any]) -> None:
    """Replace the chosen images by what ``call``, a function and its further arguments per sample, makes of them."""
    function, *arguments = call
    rows = chosen.nonzero()[:, 0]
    if len(rows):
        selected = images.index_select(0, rows)
        images.index_copy_(0, rows, function(selected, *(values[rows] for values in arguments)))


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"views: {name} is {value}; give a number from {low} to {high}")


def _check_bounds(name: str, bounds: Sequence[float], most: float = float("inf")) -> None:
    if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1] <= most:
        limit = f", at most {most:g}" if most < float("inf") else ""
        raise ConfigError(f"views: {name} is {list(bounds)}; give two positive numbers, the smaller first{limit}")
