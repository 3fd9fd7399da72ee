"""Crops: where they lie, and what Pillow makes of the same box."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from data.images.views import crop
from data.images.views.random_keys import uniforms
from tests.data.images.pictures import from_pillow, levels_apart, photographs, to_pillow

RATIO = (3 / 4, 4 / 3)


def drawn(
    count: int, height: int, width: int, scale: tuple = (0.08, 1.0), ratio: tuple = RATIO, seed: int = 0
) -> torch.Tensor:
    sizes = torch.tensor([height, width]).expand(count, 2)
    return crop.boxes(uniforms(seed, 0, torch.arange(count), 0, crop.UNIFORMS), sizes, scale, ratio)


@given(height=st.integers(1, 300), width=st.integers(1, 300), low=st.floats(0.01, 1), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_every_box_lies_in_its_image(height: int, width: int, low: float, seed: int) -> None:
    top, left, tall, wide = drawn(50, height, width, (low, 1.0), seed=seed).unbind(1)
    assert (top >= 0).all() and (left >= 0).all() and (tall >= 1).all() and (wide >= 1).all()
    assert (top + tall <= height).all() and (left + wide <= width).all()


def test_areas_and_aspects_are_distributed_as_told_where_every_attempt_fits() -> None:
    _, _, tall, wide = drawn(4000, 10_000, 10_000, (0.1, 0.4)).double().unbind(1)
    assert stats.kstest((tall * wide / 1e8).numpy(), stats.uniform(0.1, 0.3).cdf).pvalue > 1e-3
    low, high = map(math.log, RATIO)
    assert stats.kstest((wide / tall).log().numpy(), stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_places_are_uniform_over_all_that_fit() -> None:
    top, left, *_ = drawn(20_000, 9, 9, (16 / 81, 16 / 81), (1.0, 1.0)).unbind(1)
    for place in (top, left):
        assert stats.chisquare(torch.bincount(place, minlength=6).numpy()).pvalue > 1e-3


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [(10, 100, (0, 43, 10, 13)), (100, 10, (43, 0, 13, 10))],
)
def test_where_no_attempt_fits_the_centre_is_taken_at_the_nearest_aspect(height: int, width: int, box: tuple) -> None:
    assert drawn(3, height, width, (1.0, 1.0)).tolist() == [list(box)] * 3


@pytest.mark.parametrize("size", [32, 20, 9, 48])
def test_crop_flip_and_resize_are_pillows_within_a_rounding_of_each_of_its_passes(size: int) -> None:
    images = photographs(40, 41, 36)
    boxes = drawn(40, 41, 36)
    mirrored = torch.arange(40) % 2 == 1
    ours = crop.crop_and_resize(images, boxes, mirrored, size)
    for image, (top, left, tall, wide), mirror, view in zip(images, boxes.tolist(), mirrored, ours, strict=True):
        theirs = (
            to_pillow(image).crop((left, top, left + wide, top + tall)).resize((size, size), Image.Resampling.BILINEAR)
        )
        theirs = theirs.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirror else theirs
        assert levels_apart(view, from_pillow(theirs)).max() <= 1.01


def test_the_whole_image_at_its_own_size_is_unchanged() -> None:
    images = photographs(4)
    boxes = torch.tensor([0, 0, 32, 32]).expand(4, 4)
    ours = crop.crop_and_resize(images, boxes, torch.zeros(4, dtype=torch.bool), 32)
    assert torch.allclose(ours * 255, images.float(), atol=1e-4)


def test_what_the_boxes_show_does_not_depend_on_the_window_they_span() -> None:
    images, boxes, mirrored = photographs(5, 41, 36), drawn(5, 41, 36, (0.02, 0.1)), torch.arange(5) % 2 == 1
    part, inner = crop.window(images, boxes)
    assert part.shape[2] < 41 or part.shape[3] < 36
    plain, cut = crop.crop_and_resize(images, boxes, mirrored, 16), crop.crop_and_resize(part, inner, mirrored, 16)
    assert torch.allclose(plain, cut, atol=1e-6)


def test_padding_never_enters_a_crop() -> None:
    images = photographs(64, 24, 20)
    padded = torch.full((64, 3, 40, 40), 255, dtype=torch.uint8)
    padded[:, :, :24, :20] = images
    boxes, mirrored = drawn(64, 24, 20), torch.zeros(64, dtype=torch.bool)
    plain, beside = (crop.crop_and_resize(source, boxes, mirrored, 16) for source in (images, padded))
    assert torch.allclose(plain, beside, atol=1e-6)
