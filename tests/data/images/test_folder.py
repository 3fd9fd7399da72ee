"""Folders of image files of any size: clean images, stored ones for crops, layouts, damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data.images.files import FolderImages
from data.images.folder import Folder
from runs.errors import ConfigError, InvalidProblem
from tests.data.images.pictures import photographs, to_pillow


def saved(path: Path, height: int, width: int, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    to_pillow(photographs(1, height, width, seed)[0]).save(path)
    return path


def folder(path: Path, **settings: Any) -> Folder:
    return Folder(str(path), **({"size": 24, "clean_side": 28, "stored_side": 40} | settings))


def test_a_clean_image_is_the_centre_after_the_shorter_side_is_resized(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", 60, 90)
    with Image.open(path) as image:
        resized = image.resize((42, 28), Image.Resampling.BILINEAR).crop((9, 2, 33, 26))
    images = FolderImages([path], size=24, clean_side=28, stored_side=40)
    assert np.array_equal(images[0].permute(1, 2, 0).numpy(), np.asarray(resized))
    assert torch.equal(images[[0]][0], images[0]) and torch.equal(images[:1][0], images[0])
    assert images.shape == (1, 3, 24, 24)


def test_a_small_image_is_enlarged_for_the_clean_one_and_stored_as_it_is(tmp_path: Path) -> None:
    images = FolderImages([saved(tmp_path / "a.png", 10, 12)], size=24, clean_side=28, stored_side=40)
    assert images[0].shape == (3, 24, 24)
    stored, sizes = images.padded([0])
    assert sizes.tolist() == [[10, 12]]
    assert torch.equal(stored[0], photographs(1, 10, 12)[0])


def test_stored_images_lie_in_the_upper_left_of_a_common_frame_reduced_and_not_too_elongated(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{h}x{w}.png", h, w) for h, w in ((30, 36), (80, 100), (20, 90))]
    stored, sizes = FolderImages(paths, size=24, clean_side=28, stored_side=40).padded([0, 1, 2])
    assert sizes.tolist() == [[30, 36], [40, 50], [20, 40]]
    assert stored.shape == (3, 3, 40, 50)
    assert torch.equal(stored[0, :, :30, :36], photographs(1, 30, 36)[0])
    assert stored[0, :, 30:].sum() == 0 and stored[2, :, :, 40:].sum() == 0
    middle = photographs(1, 20, 90)[0, :, :, 25:65]
    assert torch.equal(stored[2, :, :20, :40], middle)


def test_a_large_jpeg_decoded_at_a_fraction_looks_like_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    to_pillow(photographs(1, 400, 600)[0]).resize((600, 400)).save(path, quality=95)
    images = FolderImages([path], size=24, clean_side=28, stored_side=40)
    with Image.open(path) as image:
        exact = image.resize((42, 28), Image.Resampling.BILINEAR).crop((9, 2, 33, 26))
    assert np.abs(images[0].permute(1, 2, 0).numpy().astype(int) - np.asarray(exact)).mean() < 3


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_images_of_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    to_pillow(photographs(1)[0]).convert(mode).save(tmp_path / "a.png")
    assert folder(tmp_path, test_fraction=0.0).train().images[0].shape == (3, 24, 24)


def test_class_folders_give_labels_in_order_of_their_names_and_a_held_out_test_set(tmp_path: Path) -> None:
    for name in ("zebra", "ant"):
        for number in range(5):
            saved(tmp_path / name / f"{number}.png", 30, 30, number)
    (tmp_path / ".cache").mkdir()
    source = folder(tmp_path, test_fraction=0.2)
    train, test = source.train(), source.test()
    assert train.classes == ("ant", "zebra")
    assert train.labels is not None and train.labels.tolist() == [0] * 4 + [1] * 4
    assert test.labels is not None and test.labels.tolist() == [0, 1]
    assert not {*train.images.paths} & {*test.images.paths}  # type: ignore[union-attr]


def test_train_and_val_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("train/a/0", "train/b/1", "val/a/2", "val/b/3"):
        saved(tmp_path / f"{name}.png", 30, 30)
    source = folder(tmp_path)
    assert [len(source.train()), len(source.test())] == [2, 2]
    (tmp_path / "val" / "b").rename(tmp_path / "val" / "c")
    with pytest.raises(ConfigError, match="differ in the classes b, c"):
        folder(tmp_path).test()


def test_files_of_no_class_have_no_labels(tmp_path: Path) -> None:
    for number in range(10):
        saved(tmp_path / f"{number}.png", 30, 30)
    images = folder(tmp_path).train()
    assert images.labels is None and images.classes == () and len(images) == 9
    images.validate()


def test_the_identity_changes_with_a_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.png", 30, 30)
    first = folder(tmp_path, test_fraction=0.0).train().identity
    assert first == folder(tmp_path, test_fraction=0.0).train().identity
    path.write_bytes(path.read_bytes() + b" ")
    assert first != folder(tmp_path, test_fraction=0.0).train().identity


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "tif", "webp", "ppm"])
def test_all_files_that_are_cut_off_or_no_images_are_named_at_once_before_any_is_used(
    tmp_path: Path, suffix: str
) -> None:
    paths = [saved(tmp_path / f"{part}/{label}/{number}.{suffix}", 60, 60, number)
             for part in ("train", "val") for label in "ab" for number in range(3)]  # fmt: skip
    paths[1].write_bytes(paths[1].read_bytes()[:-400])
    paths[8].write_bytes(b"text")
    paths[9].write_bytes(b"")
    with pytest.raises(
        InvalidProblem, match=rf"3 of 12 images cannot be used: .*a/1.{suffix} .*val/a/2.{suffix}.*broken=skip"
    ):
        folder(tmp_path).train()
    source = folder(tmp_path, broken="skip")
    assert (len(source.train()), len(source.test())) == (5, 4)
    assert source.test().labels.tolist() == [0, 0, 1, 1]  # type: ignore[union-attr]


def test_a_file_damaged_in_its_middle_is_found_where_files_are_decoded(tmp_path: Path) -> None:
    paths = [saved(tmp_path / label / f"{number}.png", 60, 60, number) for label in "ab" for number in range(10)]
    content = bytearray(paths[0].read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    paths[0].write_bytes(content)
    images = folder(tmp_path, test_fraction=0.0).train().images
    with pytest.raises(
        InvalidProblem, match=r"a/0\.png is no whole image.*data\.source\.check=decode finds all like it"
    ):
        images[:]
    with pytest.raises(InvalidProblem, match="1 of 20 images cannot be used"):
        folder(tmp_path, check="decode").train()


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none is no folder; set data\.source\.folder"):
        folder(tmp_path / "none").train()
    with pytest.raises(ConfigError, match="holds no image"):
        folder(tmp_path).train()
    saved(tmp_path / "a" / "0.png", 30, 30)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "movie.gif").write_bytes(b"GIF89a")
    with pytest.raises(ConfigError, match=r"b holds no image; images end in .*left out so far: 1 of the kind \.gif"):
        folder(tmp_path).train()
    (tmp_path / "train").mkdir()
    with pytest.raises(ConfigError, match=r"has a folder train and none to test on \(called test, "):
        folder(tmp_path).test()


@pytest.mark.parametrize("settings", [{"size": 0}, {"clean_side": 20}, {"stored_side": 0}])
def test_impossible_sizes_are_named(tmp_path: Path, settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        folder(tmp_path, **settings)
