"""CIFAR-10 from its three forms; damaged files; the cache of decoded images."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data.images import cifar10, cifar10_binary
from data.images.cifar10 import CLASSES, Cifar10
from runs.errors import ConfigError, InvalidProblem
from tests.data.images.pictures import photographs, to_pillow

DATA = Path(os.environ.get("REPRISE_DATA", "datasets")) / "images" / "cifar10"
DECODED_TEST = "5a6aa8185204d80b65d3dfb540696dadd5f10d185ded226a96665d3e0fc6259f"
"""Of the 10,000 test images, (n, 32, 32, 3), by Pillow with libjpeg-turbo."""


def packed(path: Path, count: int = 12, **changes: object) -> Path:
    """A file of the re-saved kind whose images share one header, with some arrays replaced (None: left out)."""
    streams = []
    for image in photographs(count):
        stream = io.BytesIO()
        to_pillow(image).save(stream, "JPEG", quality=75)
        streams.append(stream.getvalue())
    head = streams[0].index(b"\xff\xda") + 14
    scans = [stream[head:-2] for stream in streams]
    arrays: dict[str, object] = {
        "header": np.frombuffer(streams[0][:head], np.uint8),
        "scans": np.frombuffer(b"".join(scans), np.uint8),
        "offsets": np.cumsum([0, *map(len, scans)]),
        "labels": (np.arange(count) % 10).astype(np.uint8),
        "classes": np.array(CLASSES),
    } | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})  # type: ignore[arg-type]
    return path


def records(count: int, first: int = 0) -> bytes:
    images = photographs(count, seed=first).numpy()
    return b"".join(bytes([(first + i) % 10]) + image.tobytes() for i, image in enumerate(images))


def source(folder: Path) -> Cifar10:
    return Cifar10(str(folder), str(folder / "cache"))


def test_the_packed_form_gives_the_images_of_its_jpegs(tmp_path: Path) -> None:
    packed(tmp_path / "cifar10_train.npz")
    images = source(tmp_path).train()
    stream = io.BytesIO()
    to_pillow(photographs(12)[5]).save(stream, "JPEG", quality=75)
    assert np.array_equal(images.images[5].permute(1, 2, 0).numpy(), np.asarray(Image.open(stream)))
    assert images.labels is not None and images.labels.tolist() == [i % 10 for i in range(12)]
    assert images.classes == CLASSES and images.name == "cifar10-train"
    images.validate()


def test_the_official_files_extracted_or_not_give_the_same(tmp_path: Path) -> None:
    inner = tmp_path / "extracted" / cifar10_binary.FOLDER
    inner.mkdir(parents=True)
    (tmp_path / "archived").mkdir()
    with tarfile.open(tmp_path / "archived" / cifar10.ARCHIVE, "w:gz") as archive:
        for number, name in enumerate([*reversed(cifar10_binary.FILES["train"]), "test_batch.bin"]):
            (inner / name).write_bytes(records(3, first=number))
            archive.add(inner / name, f"{cifar10_binary.FOLDER}/{name}")
    sets = [source(tmp_path / name) for name in ("extracted", "archived")]
    for split in ("train", "test"):
        extracted, archived = (getattr(each, split)() for each in sets)
        assert len(extracted) == (15 if split == "train" else 3)
        assert torch.equal(extracted.images, archived.images) and torch.equal(extracted.labels, archived.labels)
    assert torch.equal(sets[0].train().images[12:], photographs(3, seed=0)), "data_batch_5 is last"


def test_images_are_decoded_once_for_all_processes_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(tmp_path / "cifar10_test.npz")
    first = source(tmp_path).test()
    monkeypatch.setattr(cifar10.cifar10_npz, "read", lambda *arguments: pytest.fail("decoded again"))
    again = source(tmp_path).test()
    assert torch.equal(first.images, again.images) and first.identity == again.identity
    again.images[0] = 0
    assert not torch.equal(source(tmp_path).test().images[0], again.images[0]), "writing stays in the process"
    monkeypatch.undo()
    packed(tmp_path / "cifar10_test.npz", count=5)
    assert len(source(tmp_path).test()) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offsets": None}, "the array offsets is missing"),
        ({"scans": np.zeros(9)}, "scans is float64"),
        ({"labels": np.zeros(3, np.uint8)}, "13 offsets for 3 labels"),
        ({"offsets": np.arange(13)}, "offsets must rise from 0 to the length of scans"),
        ({"labels": np.full(12, 10, np.uint8)}, "a label is 10; there are 10 classes"),
        ({"classes": np.array(["cat", "dog"])}, "classes are cat, dog"),
        ({"header": np.zeros(600, np.uint8)}, "image 0 of scans is no JPEG"),
        ({"classes": np.array([1, {}], dtype=object)}, "is no whole .npz file"),
    ],
)
def test_a_packed_file_that_breaks_its_format_is_named_with_the_field(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    packed(tmp_path / "cifar10_train.npz", **changes)
    with pytest.raises(InvalidProblem, match=rf"cifar10_train\.npz.*{message}"):
        source(tmp_path).train()


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_truncated_files_are_named(tmp_path: Path, kept: float) -> None:
    whole = packed(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cifar10_train.npz").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(InvalidProblem, match=r"cifar10_train\.npz is no whole \.npz file"):
        source(tmp_path).train()
    with tarfile.open(tmp_path / "whole.tar.gz", "w:gz") as archive:
        (tmp_path / "test_batch.bin").write_bytes(records(20))
        archive.add(tmp_path / "test_batch.bin", f"{cifar10_binary.FOLDER}/test_batch.bin")
    (tmp_path / "test_batch.bin").unlink()
    whole = (tmp_path / "whole.tar.gz").read_bytes()
    (tmp_path / cifar10.ARCHIVE).write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(InvalidProblem, match=cifar10.ARCHIVE):
        source(tmp_path).test()


def test_a_flipped_byte_in_the_packed_file_is_found(tmp_path: Path) -> None:
    path = packed(tmp_path / "cifar10_train.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InvalidProblem, match=r"cifar10_train\.npz"):
        source(tmp_path).train()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (records(2)[:-1], "6145 bytes are no whole number of records of 3073 bytes"),
        (b"", "0 bytes"),
        (records(1) + b"\x0b" + bytes(3072), "the label of record 1 is 11"),
    ],
)
def test_binary_records_that_break_the_format_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "test_batch.bin").write_bytes(content)
    with pytest.raises(InvalidProblem, match=rf"test_batch\.bin.*{message}"):
        source(tmp_path).test()


def test_a_batch_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(records(2))
    with pytest.raises(ConfigError, match=r"data_batch_2\.bin is missing beside data_batch_1\.bin"):
        source(tmp_path).train()


@pytest.mark.parametrize("name", cifar10.PICKLED)
def test_the_pickled_version_is_never_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=rf"{name} is the pickled version.*put the binary version"):
        source(tmp_path).train()


def test_without_files_and_network_source_and_folder_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "URL", f"http://127.0.0.1:9/{cifar10.ARCHIVE}")
    with pytest.raises(ConfigError, match=rf"could not be fetched from http://127.*put it into the folder {tmp_path}"):
        source(tmp_path).train()


@pytest.mark.skipif(not (DATA / "cifar10_test.npz").is_file(), reason="REPRISE_DATA has no images/cifar10")
def test_the_test_images_are_those_of_the_data_sets_page(tmp_path: Path) -> None:
    images = Cifar10(str(DATA), str(tmp_path)).test()
    decoded = images.images.permute(0, 2, 3, 1).contiguous().numpy()
    if hashlib.sha256(decoded).hexdigest() != DECODED_TEST:  # another JPEG decoder: a grey level in places
        assert abs(decoded.mean() / 255 - 0.4766) < 1e-3
    assert images.labels is not None and torch.bincount(images.labels).tolist() == [1000] * 10
