"""Random resized crop and flip: where, and the weights that resample it."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from data.images.views import separable

ATTEMPTS = 10
UNIFORMS = 2 * ATTEMPTS + 2
"""Uniform numbers per crop: area and aspect of each attempt, then the place."""


CENTRE = 0.5 - 1e-9
"""Just below the half: of two middle places the upper left one."""


def boxes(
    draws: Float[Tensor, "batch {UNIFORMS}"],
    sizes: Int[Tensor, "batch 2"],
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> Int[Tensor, "batch 4"]:
    """Boxes (top, left, height, width) in whole pixels.

    Area uniform on ``scale`` of the image's, logarithm of width / height uniform on that of ``ratio``; the first of ten
    attempts that fits is taken, placed uniformly. Where none fits the box is the largest one at the centre whose aspect is
    within ``ratio``.

    Parameters
    ----------
    draws
        On [0, 1).
    sizes
        Height and width of each image.
    scale, ratio
        Bounds.
    """
    draws, height, width = draws.double(), sizes[:, :1], sizes[:, 1:]
    area = height * width * (scale[0] + (scale[1] - scale[0]) * draws[:, :ATTEMPTS])
    low, high = math.log(ratio[0]), math.log(ratio[1])
    aspect = torch.exp(low + (high - low) * draws[:, ATTEMPTS : 2 * ATTEMPTS])
    wide, tall = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (wide >= 1) & (wide <= width) & (tall >= 1) & (tall <= height)
    chosen = fits.int().argmax(dim=1, keepdim=True)  # the first that fits; attempt 0 where none does
    fits, wide, tall = (values.gather(1, chosen)[:, 0] for values in (fits, wide, tall))
    height, width = height[:, 0].double(), width[:, 0].double()
    wide = torch.where(fits, wide, (height * ratio[1]).round().minimum(width).clamp(min=1))
    tall = torch.where(fits, tall, (width / ratio[0]).round().minimum(height).clamp(min=1))
    place = torch.where(fits[:, None], draws[:, -2:], CENTRE)
    top = (place[:, 0] * (height - tall + 1)).floor()
    left = (place[:, 1] * (width - wide + 1)).floor()
    return torch.stack([top, left, tall, wide], dim=1).long()


def weights(
    start: Int[Tensor, " batch"], extent: Int[Tensor, " batch"], pixels: int, places: Float[Tensor, "batch size"]
) -> Float[Tensor, "batch {pixels} size"]:
    """Bilinear weights of the pixels from ``start`` to ``start + extent`` at ``places``, which run from 0 to 1 over the box.

    The triangle is as wide as the shrinking asks for, so that nothing aliases, and is cut at the ends of the box: what
    Pillow computes for ``image.crop(...).resize(...)``.
    """
    centre = start[:, None] + places * extent[:, None]
    support = (extent / places.shape[1]).clamp(min=1.0)
    pixel = torch.arange(pixels, device=start.device)
    weight = ((pixel[:, None] + 0.5) - centre[:, None]).abs_().mul_(-1 / support[:, None, None]).add_(1).clamp_(min=0)
    inside = (pixel >= start[:, None]) & (pixel < (start + extent)[:, None])
    weight.mul_(inside[:, :, None].to(weight.dtype))
    return weight.div_(weight.sum(dim=1, keepdim=True))


def crop_and_resize(
    images: UInt8[Tensor, "batch channels height width"],
    boxes: Int[Tensor, "batch 4"],
    mirrored: Bool[Tensor, " batch"],
    size: int,
) -> Float[Tensor, "batch channels {size} {size}"]:
    """What each box shows, at ``size`` pixels, left and right exchanged where ``mirrored``; colours on [0, 1]."""
    top, left, tall, wide = boxes.unbind(1)
    places = ((torch.arange(size, device=images.device) + 0.5) / size).expand(len(images), size)
    rows = weights(top, tall, images.shape[2], places).transpose(1, 2)
    columns = weights(left, wide, images.shape[3], torch.where(mirrored[:, None], 1 - places, places))
    return separable.apply(images, rows, columns.mul_(1 / 255))


def window(
    images: UInt8[Tensor, "batch channels height width"], boxes: Int[Tensor, "batch 4"]
) -> tuple[UInt8[Tensor, "batch channels tall wide"], Int[Tensor, "batch 4"]]:
    """The part of the images that the boxes span, and the boxes in it: less to multiply where there are few of them."""
    low, high = boxes[:, :2].amin(dim=0), (boxes[:, :2] + boxes[:, 2:]).amax(dim=0)
    (top, left), (bottom, right) = low.tolist(), high.tolist()
    return images[:, :, top:bottom, left:right], boxes - torch.cat([low, torch.zeros_like(low)])
