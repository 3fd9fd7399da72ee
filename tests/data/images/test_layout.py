"""What a folder's names mean, and when they may mean several things."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data.images.layout import laid_out
from runs.errors import ConfigError


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize(("train", "test"), [("train", "val"), ("Train", "Test"), ("TRAINING", "Validation")])
def test_parts_are_known_whatever_the_case(tmp_path: Path, train: str, test: str) -> None:
    found = laid_out(touched(tmp_path, *(f"{part}/{label}/0.png" for part in (train, test) for label in "ab")))
    assert found.test is not None
    assert [list(part.classes) for part in (found.train, found.test)] == [["a", "b"], ["a", "b"]]


def test_a_part_without_its_other_is_refused(tmp_path: Path) -> None:
    touched(tmp_path, "Test/a/0.png", "cat/0.png")
    with pytest.raises(ConfigError, match=r"has a folder Test and none to train on \(called train"):
        laid_out(tmp_path)


def test_folders_beside_the_parts_are_counted(tmp_path: Path) -> None:
    names = [f"{part}/{label}/0.png" for part in ("train", "val", "test") for label in "ab"]
    found = laid_out(touched(tmp_path, *names, "extra/1.png", "2.png"))
    assert found.test is not None and found.test.folder.name == "test"
    counted = {"images of val": 2, "images of extra": 1, "images beside the parts": 1}
    assert {reason: count for reason, count in found.left_out.items() if count} == counted


def test_one_class_is_refused_with_both_remedies(tmp_path: Path) -> None:
    touched(tmp_path, "images/cat/0.png", "images/dog/0.png")
    with pytest.raises(ConfigError, match=r"one class.*data\.source\.folder=.*/images if .*data\.source\.labels=false"):
        laid_out(tmp_path)
    assert list(laid_out(tmp_path / "images").train.classes) == ["cat", "dog"]
    assert len(laid_out(tmp_path, labels=False).train.paths) == 2


def test_classes_called_like_parts_are_refused(tmp_path: Path) -> None:
    touched(tmp_path, "train/Train/0.png", "train/Val/0.png", "test/Train/0.png", "test/Val/0.png")
    with pytest.raises(ConfigError, match="has classes called Train, Val, which are names of parts"):
        laid_out(tmp_path)


def test_images_beside_folders_are_a_question(tmp_path: Path) -> None:
    touched(tmp_path, *(f"{number}.png" for number in range(8)), "thumbs/a.png", "small/b.png")
    with pytest.raises(ConfigError, match=r"8 images beside folders with images: small \(1\), thumbs \(1\); set"):
        laid_out(tmp_path)
    everything = laid_out(tmp_path, labels=False).train
    assert not everything.labelled and len(everything.paths) == 10
    folders = laid_out(tmp_path, labels=True)
    assert list(folders.train.classes) == ["small", "thumbs"]
    assert folders.left_out["images beside the classes"] == 8


def test_hidden_files_and_unread_kinds_are_left_out_and_counted(tmp_path: Path) -> None:
    names = [
        "a/0.png",
        "b/0.png",
        "a/._0.png",
        "b/.DS_Store",
        "__MACOSX/a/._0.png",
        ".cache/0.png",
        "a/x.gif",
        "b/note",
    ]
    found = laid_out(touched(tmp_path, *names))
    assert list(found.train.classes) == ["a", "b"] and len(found.train.paths) == 2
    assert found.left_out == {
        "hidden": 4,
        "of the kind .gif": 1,
        "of the kind (no ending)": 1,
        "images beside the classes": 0,
    }


def test_links_to_folders_are_followed_and_circles_are_left(tmp_path: Path) -> None:
    touched(tmp_path / "elsewhere", "0.png", "1.png")
    folder = touched(tmp_path / "images", "a/0.png", "b/0.png")
    (folder / "a" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(folder / "a")
    (folder / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "c").symlink_to(tmp_path / "elsewhere")
    found = laid_out(folder)
    assert {name: len(paths) for name, paths in found.train.classes.items()} == {"a": 3, "b": 1, "c": 3}
    assert found.left_out["links that lead nowhere"] == 1


def test_class_names_of_any_bytes_are_printable(tmp_path: Path) -> None:
    for name in (b"caf\xe9", b"red\x1b[31m"):
        touched(tmp_path, f"{os.fsdecode(name)}/0.png")
    classes = list(laid_out(tmp_path).train.classes)
    assert classes == [r"caf\udce9", r"red\x1b[31m"]
    assert "".join(classes).isprintable()
