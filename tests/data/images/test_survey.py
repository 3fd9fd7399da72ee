"""What is said of a folder of images before anything is trained."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.images import survey
from data.images.folder import Folder
from runs.errors import ConfigError, InvalidProblem
from tests.data.images.pictures import photographs, to_pillow

SIDES = {"size": 24, "clean_side": 28, "stored_side": 40}


def pictures(folder: Path, count: int = 10, height: int = 30, width: int = 30) -> list[Path]:
    paths = [folder / label / f"{number}.png" for label in ("cat", "dog") for number in range(count)]
    for seed, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        to_pillow(photographs(1, height, width, seed)[0]).save(path)
    return paths


def said(folder: Path, caplog: pytest.LogCaptureFixture, **settings: Any) -> str:
    with caplog.at_level(logging.INFO):
        Folder(str(folder), **SIDES, **settings).train()
    return caplog.text


def test_images_classes_sizes_and_what_is_done_with_them_are_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third, *_ = pictures(tmp_path)
    to_pillow(photographs(1, 50, 60)[0]).convert("RGBA").save(first)
    to_pillow(photographs(1, 20, 90)[0]).save(second)
    image = to_pillow(photographs(1, 10, 12)[0])
    exif = image.getexif()
    exif[274] = 6
    image.save(third, exif=exif)
    (tmp_path / "cat" / "clip.gif").write_bytes(b"GIF89a")
    text = said(tmp_path, caplog)
    for line in (
        "20 images (test_images_classes_sizes_and_0) of 2 classes: cat 10, dog 10",
        "size: 12 x 10 to 60 x 50 pixels",
        "pixels: RGB 19, RGBA 1",
        "1 have transparency, and are laid on white",
        "1 are turned upright, as their EXIF orientation says",
        "1 are longer than 2:1; both ends are cut off (data.source.elongated=pad keeps them)",
        "left out: 1 of the kind .gif",
    ):
        assert text.count(line) == 1, line


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ((0.0, 1.0), "20 have more than 8 bits: 0 becomes black and 1 white"),
        ((0.0, 250.0), "20 have more than 8 bits: 0 becomes black and 255 white"),
        (
            (0.0, 0.05),
            "reach 0.05 only, so they come out dark; data.source.value_range=[0,0.05] brightens them",
        ),
    ],
)
def test_the_range_of_floating_point_images_is_found_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, values: tuple[float, float], line: str
) -> None:
    for path in pictures(tmp_path):
        path.unlink()
        Image.fromarray(np.linspace(*values, 900, dtype=np.float32).reshape(30, 30)).save(path.with_suffix(".tif"))
    assert line in said(tmp_path, caplog)
    images = Folder(str(tmp_path), **SIDES).train().images
    assert int(images[0].max()) > 200 or values[1] < 0.1


def test_a_range_that_no_format_has_is_asked_for(tmp_path: Path) -> None:
    for path in pictures(tmp_path):
        path.unlink()
        Image.fromarray(np.full((30, 30), -3.5, dtype=np.float32)).save(path.with_suffix(".tif"))
    with pytest.raises(ConfigError, match=r"values from -3\.5 to -3\.5.*data\.source\.value_range="):
        Folder(str(tmp_path), **SIDES).train()


def test_a_floating_point_image_without_a_number_is_broken(tmp_path: Path) -> None:
    paths = pictures(tmp_path)
    Image.fromarray(np.full((30, 30), np.nan, dtype=np.float32)).save(paths[3].with_suffix(".tif"))
    with pytest.raises(InvalidProblem, match=r"1 of 21 images cannot be used: .*cat/3\.tif holds no number"):
        Folder(str(tmp_path), **SIDES).train()


def test_files_are_looked_at_once_and_again_where_one_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = pictures(tmp_path / "pictures")
    looked: list[Path] = []
    header = survey.header
    monkeypatch.setattr(survey, "header", lambda path, most: looked.append(path) or header(path, most))
    for _ in range(2):
        Folder(str(tmp_path / "pictures"), cache=str(tmp_path / "cache"), **SIDES).train()
        assert len(looked) == 20
    paths[0].write_bytes(paths[1].read_bytes() + b" ")
    Folder(str(tmp_path / "pictures"), cache=str(tmp_path / "cache"), **SIDES).train()
    assert len(looked) == 40


@pytest.mark.parametrize(
    ("setting", "value"),
    [("broken", "ignore"), ("check", "all"), ("elongated", "squeeze"), ("value_range", [1, 0]), ("max_pixels", 0)],
)
def test_impossible_settings_are_named(tmp_path: Path, setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"data.source.{setting} is"):
        Folder(str(tmp_path), **SIDES, **{setting: value})
