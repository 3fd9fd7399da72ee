"""Colour operations and blur against Pillow, colorsys and scipy."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scipy import ndimage

from data.images.views import jitter
from data.images.views.blur import gaussian_blur
from data.images.views.gray import grayscale, luminance
from data.images.views.solarize import solarize
from tests.data.images.pictures import from_pillow, levels_apart, photographs, to_pillow

FACTORS = (0.0, 0.3, 0.8, 1.0, 1.2, 1.8)
colours = st.tuples(*[st.integers(0, 255)] * 3)


def pixel(colour: tuple[int, int, int]) -> torch.Tensor:
    return torch.tensor(colour).float()[None, :, None, None] / 255


def factor(value: float, count: int = 1) -> torch.Tensor:
    return torch.full((count, 1, 1, 1), value)


@pytest.mark.parametrize("value", FACTORS)
@pytest.mark.parametrize(
    ("ours", "theirs", "levels"),
    [
        (jitter.brightness, ImageEnhance.Brightness, 1.0),  # Pillow cuts fractions off
        (jitter.contrast, ImageEnhance.Contrast, 1.6),  # and rounds the mean: up to 1/2 |1 - factor| more
        (jitter.saturation, ImageEnhance.Color, 1.6),  # and rounds the luminance
    ],
)
def test_jitter_is_pillows_within_its_roundings(ours, theirs, levels: float, value: float) -> None:
    images = photographs(8)
    mine = ours(images.float() / 255, factor(value, 8))
    for image, result in zip(images, mine, strict=True):
        assert levels_apart(result, from_pillow(theirs(to_pillow(image)).enhance(value))).max() <= levels


@given(colour=colours, shift=st.floats(-0.5, 0.5))
@settings(max_examples=50)
def test_hue_is_a_turn_in_hsv(colour: tuple[int, int, int], shift: float) -> None:
    h, s, v = colorsys.rgb_to_hsv(*(c / 255 for c in colour))
    expected = torch.tensor(colorsys.hsv_to_rgb((h + shift) % 1, s, v))
    turned = jitter.hue(pixel(colour), factor(shift))[0, :, 0, 0]
    assert torch.allclose(turned, expected.float(), atol=2e-6)


@pytest.mark.parametrize("shift", [-0.5, -0.2, 0.0, 0.1, 0.37, 0.5])
def test_hue_is_pillows_within_its_256_hues_and_saturations(shift: float) -> None:
    images = photographs(8)
    mine = jitter.hue(images.float() / 255, factor(shift, 8))
    for image, result in zip(images, mine, strict=True):
        h, s, v = to_pillow(image).convert("HSV").split()
        h = Image.fromarray(np.asarray(h) + np.uint8(round(shift * 255) % 256))
        theirs = from_pillow(Image.merge("HSV", (h, s, v)).convert("RGB"))
        # Pillow's hue is up to a 255th of the circle too small, 6 levels, and turns at 256, 6 more; its shift is rounded, 3
        assert levels_apart(result, theirs).max() <= 15
        assert levels_apart(result, theirs).mean() <= 2


@given(colour=colours)
@settings(max_examples=50)
def test_a_hue_turned_there_and_back_is_the_colour(colour: tuple[int, int, int]) -> None:
    there = jitter.hue(pixel(colour), factor(0.3))
    assert torch.allclose(jitter.hue(there, factor(-0.3)), pixel(colour), atol=2e-6)


def test_a_factor_of_one_and_a_shift_of_none_change_nothing() -> None:
    images = photographs(8).float() / 255
    for operation in (jitter.brightness, jitter.contrast, jitter.saturation):
        assert torch.allclose(operation(images.clone(), factor(1.0, 8)), images, atol=1e-6)
    assert torch.allclose(jitter.hue(images.clone(), factor(0.0, 8)), images, atol=1e-6)


def test_each_sample_has_its_own_factor() -> None:
    images, values = photographs(3).float() / 255, torch.tensor([0.5, 1.0, 1.4])
    for operation in jitter.OPERATIONS:
        factors = (values - 1 if operation is jitter.hue else values)[:, None, None, None]
        together = operation(images.clone(), factors)
        for index in range(3):
            alone = operation(images[index : index + 1].clone(), factors[index : index + 1])
            assert torch.allclose(together[index], alone[0], atol=1e-6)


def test_grey_is_pillows_luminance_in_three_channels() -> None:
    images = photographs(8)
    gray = grayscale(images.float() / 255)
    assert torch.equal(gray[:, :1].expand_as(gray), gray)
    for image, result in zip(images, gray, strict=True):
        assert levels_apart(result, from_pillow(to_pillow(image).convert("L").convert("RGB"))).max() <= 0.6
    assert torch.allclose(luminance(pixel((255, 0, 0))), torch.tensor(0.2989))


def test_solarise_is_pillows() -> None:
    images = photographs(8)
    for image, result in zip(images, solarize(images.float() / 255), strict=True):
        assert levels_apart(result, from_pillow(ImageOps.solarize(to_pillow(image)))).max() <= 1e-3


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 40)])
def test_blur_is_the_gaussian_filter_of_scipy(height: int, width: int) -> None:
    images = photographs(3, height, width).float() / 255
    sigmas = torch.tensor([0.1, 0.7, 2.0])
    for image, sigma, result in zip(images, sigmas, gaussian_blur(images, sigmas), strict=True):
        exact = ndimage.gaussian_filter(image.numpy(), (0, float(sigma), float(sigma)), mode="reflect", truncate=8)
        assert np.abs(result.numpy() - exact).max() < 2e-5


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_blur_is_near_pillows_which_is_three_box_blurs(sigma: float) -> None:
    images = photographs(8)
    ours = gaussian_blur(images.float() / 255, torch.full((8,), sigma))
    for image, result in zip(images, ours, strict=True):
        theirs = from_pillow(to_pillow(image).filter(ImageFilter.GaussianBlur(sigma)))
        assert levels_apart(result, theirs)[:, 6:-6, 6:-6].max() <= 6
        assert levels_apart(result, theirs).mean() <= 1.5
