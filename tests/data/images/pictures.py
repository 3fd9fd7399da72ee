"""Photograph-like test images and their way to Pillow and back."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def photographs(count: int, height: int = 32, width: int = 32, seed: int = 0) -> Tensor:
    """(count, 3, height, width) uint8: smooth colours with some noise, all of the range in use."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    noise = 0.05 * torch.randn(count, 3, height, width, generator=generator)
    return (256 * (smooth + noise)).clamp(0, 255).to(torch.uint8)


def to_pillow(image: Tensor) -> Image.Image:
    """One (3, height, width) uint8 image."""
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def from_pillow(image: Image.Image) -> Tensor:
    """(3, height, width) colours on [0, 1]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def levels_apart(ours: Tensor, theirs: Tensor) -> Tensor:
    """Absolute differences of two images on [0, 1], in grey levels of 255."""
    return (ours - theirs).abs() * 255
