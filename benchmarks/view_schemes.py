"""The same views by others: kornia 0.9.0 on batches, and Pillow image by image, as data loaders' workers do it."""

from __future__ import annotations

import importlib
import importlib.util
import random
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torch import Tensor

from data.images.views.view import View

INSTALL = "pip install --no-deps --target FOLDER kornia==0.9.0 kornia_rs==0.2.0, then PYTHONPATH=FOLDER"
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
BLUR_PIXELS = 23
Views = Callable[[Tensor], Tensor]


def kornia_views(view: View, size: int) -> Views | None:
    """Normalised views by kornia, or None where it is not installed."""
    if importlib.util.find_spec("kornia") is None:
        return None
    kinds = importlib.import_module("kornia.augmentation")
    steps = [kinds.RandomResizedCrop((size, size), tuple(view.crop_scale), tuple(view.crop_ratio))]
    steps.append(kinds.RandomHorizontalFlip(view.flip))
    strengths = view.brightness, view.contrast, view.saturation, view.hue
    if any(strengths):
        steps.append(kinds.ColorJitter(*strengths, p=view.jitter))
    if view.gray:
        steps.append(kinds.RandomGrayscale(p=view.gray))
    if view.blur:
        pixels = min(BLUR_PIXELS, size - 1 + size % 2)  # odd
        steps.append(kinds.RandomGaussianBlur((pixels, pixels), tuple(view.blur_sigma), p=view.blur))
    if view.solarize:
        steps.append(kinds.RandomSolarize(0.0, 0.0, p=view.solarize))
    steps.append(kinds.Normalize(torch.tensor(MEAN), torch.tensor(STD)))
    chain = torch.nn.Sequential(*steps)
    return lambda images: chain(images.float() / 255)


def pillow_views(view: View, size: int) -> Views:
    """Normalised views by Pillow, one image after the other."""
    draw = random.Random(0)
    shift, scale = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))

    def one(image: Tensor) -> Tensor:
        picture = _pillow_view(Image.fromarray(image.permute(1, 2, 0).numpy()), view, size, draw)
        return (torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255 - shift) / scale

    return lambda images: torch.stack([one(image) for image in images])


def _pillow_view(image: Image.Image, view: View, size: int, draw: random.Random) -> Image.Image:
    area = image.width * image.height * draw.uniform(*view.crop_scale)
    aspect = np.exp(draw.uniform(*np.log(view.crop_ratio)))
    width = min(image.width, round((area * aspect) ** 0.5))
    height = min(image.height, round((area / aspect) ** 0.5))
    left, top = draw.randint(0, image.width - width), draw.randint(0, image.height - height)
    image = image.crop((left, top, left + width, top + height)).resize((size, size), Image.Resampling.BILINEAR)
    if draw.random() < view.flip:
        image = ImageOps.mirror(image)
    strengths = (ImageEnhance.Brightness, view.brightness), (ImageEnhance.Contrast, view.contrast)
    if any((view.brightness, view.contrast, view.saturation, view.hue)) and draw.random() < view.jitter:
        for enhance, strength in (*strengths, (ImageEnhance.Color, view.saturation)):
            image = enhance(image).enhance(draw.uniform(1 - strength, 1 + strength))
        hue, saturation, value = image.convert("HSV").split()
        turned = Image.fromarray(np.asarray(hue) + np.uint8(round(255 * draw.uniform(-view.hue, view.hue)) % 256))
        image = Image.merge("HSV", (turned, saturation, value)).convert("RGB")
    if draw.random() < view.gray:
        image = image.convert("L").convert("RGB")
    if draw.random() < view.blur:
        image = image.filter(ImageFilter.GaussianBlur(draw.uniform(*view.blur_sigma)))
    return ImageOps.solarize(image) if draw.random() < view.solarize else image
