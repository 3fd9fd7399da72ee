"""CIFAR-10 as its authors publish it in binary: records of a label and the three planes of an image."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runs.errors import InvalidProblem

FOLDER = "cifar-10-batches-bin"
FILES = {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)}
Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def read_files(paths: Sequence[Path], classes: int, size: int) -> Arrays:
    """Images (n, 3, size, size) and labels (n,) of extracted ``.bin`` files, one after the other.

    Raises
    ------
    InvalidProblem
        A file cannot be read or breaks the format: names file and record.
    """
    parts = []
    for path in paths:
        try:
            parts.append(_records(path.read_bytes(), str(path), classes, size))
        except OSError as error:
            raise InvalidProblem(f"{path} cannot be read ({error.strerror or error}); fetch it again") from error
    return _joined(parts)


def read_archive(path: Path, split: str, classes: int, size: int) -> Arrays:
    """The same from ``cifar-10-binary.tar.gz``; nothing is extracted to disk.

    Raises
    ------
    InvalidProblem
        The archive is truncated or another one, or a file in it breaks the format.
    """
    wanted = {f"{FOLDER}/{name}": name for name in FILES[split]}
    found: dict[str, Arrays] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name in wanted else None
                if file is not None:
                    found[member.name] = _records(file.read(), f"{path}, {member.name}", classes, size)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InvalidProblem(f"{path} is no whole archive ({error}); fetch it again") from error
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InvalidProblem(f"{path}: {missing[0]} is missing; take the binary version of CIFAR-10")
    return _joined([found[name] for name in wanted])


def _records(content: bytes, where: str, classes: int, size: int) -> Arrays:
    record = 1 + 3 * size * size
    if not content or len(content) % record:
        raise InvalidProblem(f"{where}: {len(content)} bytes are no whole number of records of {record} bytes")
    table = np.frombuffer(content, np.uint8).reshape(-1, record)
    wrong = np.flatnonzero(table[:, 0] >= classes)
    if len(wrong):
        raise InvalidProblem(
            f"{where}: the label of record {wrong[0]} is {table[wrong[0], 0]}; it must be below {classes}"
        )
    return table[:, 1:].reshape(-1, 3, size, size), table[:, 0]


def _joined(parts: Sequence[Arrays]) -> Arrays:
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels)
