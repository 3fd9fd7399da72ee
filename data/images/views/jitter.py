"""Colour jitter: brightness, contrast, saturation and hue, each with one factor per sample, clamped to [0, 1] after each.

``image`` is the shape (batch, 3, height, width), colours on [0, 1]; ``factor`` is (batch, 1, 1, 1). All work in place and
return their argument.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from data.images.views.gray import luminance

Images = Float[Tensor, "batch 3 height width"]
Factor = Float[Tensor, "batch 1 1 1"]

LEAST_CHROMA = 1e-8


def brightness(images: Images, factor: Factor) -> Images:
    """Blend with black."""
    return images.mul_(factor).clamp_(0, 1)


def contrast(images: Images, factor: Factor) -> Images:
    """Blend with the image's mean luminance, which Pillow rounds to one of 256 levels and we do not."""
    mean = luminance(images).mean(dim=(1, 2, 3), keepdim=True)
    return images.mul_(factor).add_(mean * (1 - factor)).clamp_(0, 1)


def saturation(images: Images, factor: Factor) -> Images:
    """Blend with the luminance."""
    gray = luminance(images)  # before the images change in place
    return images.mul_(factor).add_(gray.mul_(1 - factor)).clamp_(0, 1)


def hue(images: Images, shift: Factor) -> Images:
    """Turn the hue by ``shift`` of a full circle, on [-1/2, 1/2]; value and saturation of HSV stay.

    With V and m the largest and the smallest colour, C = V - m and the hue h on [-3, 3] around red, the angle to red is
    ``|h| = 1 + (G + B - R - m) / C`` and h has the sign of G - B. Back: the largest colour less C times how far the hue has
    gone towards the opposite of red (3), green (-1) and blue (1), one sextant before it counting from 0 to 1. No case
    distinction is left, which is what costs time on whole images.
    """
    red, green, blue = images.unbind(1)
    shift = shift[:, 0]
    value = torch.maximum(red, green).maximum(blue)
    least = torch.minimum(red, green).minimum(blue)
    chroma = value - least
    angle = (green + blue).sub_(red).sub_(least).div_(chroma.clamp(min=LEAST_CHROMA)).add_(1)
    turned = torch.copysign(angle, green - blue).add_(6 * shift)
    turned.sub_((turned / 6).round_().mul_(6))
    torch.addcmul(value, turned.abs().sub_(1).clamp_(0, 1), chroma, value=-1, out=red)
    for opposite, colour in ((-1, green), (1, blue)):
        torch.addcmul(value, (turned - opposite).abs_().neg_().add_(2).clamp_(0, 1), chroma, value=-1, out=colour)
    return images


OPERATIONS: tuple[Callable[[Images, Factor], Images], ...] = (brightness, contrast, saturation, hue)
