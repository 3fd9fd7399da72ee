"""Images decoded once: the same pixels as decoding each time, shared by processes, made anew where a file changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data.images import decoded
from data.images.files import FolderImages
from data.images.folder import Folder
from runs.errors import ConfigError, InvalidProblem
from tests.data.images.pictures import photographs, to_pillow

SIDES = {"size": 24, "clean_side": 28, "stored_side": 40}
HEIGHTS = (20, 30, 50, 80, 41, 60, 33)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "CHUNK", 3)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number, height in enumerate(HEIGHTS):
        path = tmp_path / "pictures" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        to_pillow(photographs(1, height, 45, number)[0]).save(path)
    return tmp_path / "pictures"


def images(pictures: Path, decode_once: bool = True) -> FolderImages:
    source = Folder(
        str(pictures), test_fraction=0.0, decode_once=decode_once, cache=str(pictures.parent / "cache"), **SIDES
    )
    found = source.train().images
    assert isinstance(found, FolderImages)
    return found


@pytest.mark.parametrize("chosen", [[0], [6, 2, 2, 0, 5], list(range(7))])
def test_pixels_and_sizes_are_those_of_decoding(pictures: Path, chosen: list[int]) -> None:
    once, each_time = images(pictures), images(pictures, decode_once=False)
    for ours, theirs in zip(once.padded(chosen), each_time.padded(chosen), strict=True):
        assert torch.equal(ours, theirs)
    part, rest = torch.tensor([5, 1, 3]), [2, 0, 1]
    for ours, theirs in zip(once.take(part).padded(rest), each_time.take(part).padded(rest), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(once[chosen], each_time[chosen])
    assert once.take(part).identity == each_time.take(part).identity


def test_a_second_reader_decodes_nothing(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = images(pictures).padded(range(7))

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("data.images.files._open", refuse)
    for ours, theirs in zip(images(pictures).padded(range(7)), expected, strict=True):
        assert torch.equal(ours, theirs)


def test_a_changed_file_is_decoded_again(pictures: Path) -> None:
    images(pictures).padded(range(7))
    to_pillow(photographs(1, 40, 40, 99)[0]).save(pictures / "4.png")
    assert torch.equal(images(pictures).stored(4), photographs(1, 40, 40, 99)[0])


def test_a_damaged_file_is_named_and_spares_other_chunks(pictures: Path) -> None:
    damaged = images(pictures)
    (pictures / "4.png").write_bytes(b"text")
    with pytest.raises(InvalidProblem, match=r"4\.png is no whole image"):
        damaged.padded([4])
    assert damaged.padded([0, 6])[1].tolist() == [[20, 40], [33, 45]]


def test_decoding_once_needs_a_cache(pictures: Path) -> None:
    with pytest.raises(ConfigError, match="decode_once is true and cache null"):
        Folder(str(pictures), decode_once=True, **SIDES)
