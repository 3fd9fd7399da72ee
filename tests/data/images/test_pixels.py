"""Every kind of image file becomes the 8-bit RGB that a viewer shows, upright."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.images.files import FolderImages
from data.images.pixels import Reading, header, rgb
from runs.errors import InvalidProblem
from tests.data.images.pictures import photographs, to_pillow

RAMP = np.arange(256, dtype=np.float64).reshape(16, 16) / 255
LIMIT = 1 << 20


def read(image: Image.Image, path: Path, reading: Reading | None = None, **options: object) -> np.ndarray:
    image.save(path, **options)
    return np.asarray(rgb(path, reading or Reading()))


@pytest.mark.parametrize("name", ["grey.png", "grey.tif", "grey.pgm"])
def test_16_bit_grey_is_scaled_from_its_whole_range(tmp_path: Path, name: str) -> None:
    pixels = read(Image.fromarray((RAMP * 65535).astype(np.uint16)), tmp_path / name)
    assert np.array_equal(pixels, np.repeat((RAMP * 255).round()[:, :, None], 3, 2))


def test_floating_point_is_scaled_from_0_to_1_or_the_range_that_is_set(tmp_path: Path) -> None:
    values = RAMP.astype(np.float32)
    expected = (RAMP * 255).round()
    assert np.array_equal(read(Image.fromarray(values), tmp_path / "a.tif")[:, :, 0], expected)
    metres = Reading(value_range=(-50.0, 150.0))
    assert np.array_equal(read(Image.fromarray(values * 200 - 50), tmp_path / "b.tif", metres)[:, :, 0], expected)


def test_what_is_not_a_number_is_black_and_what_is_outside_the_range_is_clipped(tmp_path: Path) -> None:
    values = np.array([[np.nan, -1.0, np.inf, 2.0]], dtype=np.float32)
    assert read(Image.fromarray(values), tmp_path / "a.tif")[0, :, 0].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white_whatever_colour_lies_below(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (4, 4), {"RGBA": (10, 20, 30, 0), "LA": (10, 0), "P": 7}[mode])  # type: ignore[arg-type]
    if mode == "P":
        image.putpalette([value for value in range(256) for _ in range(3)])
    pixels = read(image, tmp_path / "a.png", **({"transparency": 7} if mode == "P" else {}))
    assert (pixels == 255).all()


def test_half_transparency_is_mixed_with_white(tmp_path: Path) -> None:
    assert read(Image.new("RGBA", (2, 2), (0, 100, 255, 128)), tmp_path / "a.png")[0, 0].tolist() == [127, 177, 255]


@pytest.mark.parametrize(("mode", "colour", "expected"), [("1", 1, 255), ("L", 9, 9), ("CMYK", (0, 0, 0, 55), 200)])
def test_plain_modes_keep_their_colours(tmp_path: Path, mode: str, colour: object, expected: int) -> None:
    assert (read(Image.new(mode, (4, 4), colour), tmp_path / "a.tif") == expected).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_images_are_upright_as_exif_says(tmp_path: Path, orientation: int, suffix: str) -> None:
    scene = np.zeros((16, 24, 3), dtype=np.uint8)
    scene[:8, :8] = 255  # the upper left as the camera was held
    stored = {1: scene, 2: scene[:, ::-1], 3: scene[::-1, ::-1], 4: scene[::-1]}.get(orientation)
    if stored is None:
        lying = scene.transpose(1, 0, 2)
        stored = {5: lying, 6: lying[::-1], 7: lying[::-1, ::-1], 8: lying[:, ::-1]}[orientation]
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = image.getexif()
    exif[274] = orientation
    pixels = read(image, tmp_path / f"a.{suffix}", exif=exif)
    assert pixels.shape == scene.shape and np.abs(pixels.astype(int) - scene).max() < 60
    assert header(tmp_path / f"a.{suffix}", LIMIT).turned == (orientation > 1)


def test_a_large_file_and_a_strange_kind_of_pixels_are_refused_by_name(tmp_path: Path) -> None:
    Image.new("L", (2000, 1000)).save(tmp_path / "wide.png")
    with pytest.raises(
        InvalidProblem, match=r"wide\.png has 2000 x 1000 = 2,000,000 pixels, more than data\.source\.max_p"
    ):
        header(tmp_path / "wide.png", LIMIT)
    assert header(tmp_path / "wide.png", 2_000_000).width == 2000
    Image.new("LAB", (4, 4)).save(tmp_path / "lab.tif")
    with pytest.raises(InvalidProblem, match=r"lab\.tif has pixels of the kind LAB"):
        header(tmp_path / "lab.tif", LIMIT)


def test_no_file_reaches_a_reader_that_runs_an_interpreter(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    with pytest.raises(InvalidProblem, match="it begins like no image that is read"):
        rgb(tmp_path / "a.png", Reading())


@pytest.mark.parametrize(("height", "width"), [(20, 200), (200, 20)])
def test_a_panorama_is_put_whole_on_a_grey_square_if_told_so(tmp_path: Path, height: int, width: int) -> None:
    path = tmp_path / "panorama.png"
    to_pillow(photographs(1, height, width)[0]).save(path)
    images = FolderImages([path], 24, 28, 100, Reading(elongated="pad"))
    stored = images.stored(0)
    assert stored.shape == (3, 100, 100)
    shown = (stored != 128).any(0)
    assert shown.any(0).sum() > 95 or shown.any(1).sum() > 95
    assert (stored[:, 0, 0] == 128).all() and images[0].shape == (3, 24, 24)
