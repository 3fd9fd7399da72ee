"""Embedding tables from a file of lookups, as the public ones of DLRM are (docs/papers/neuroshard.md#2.1).

Such a file is a gzipped ``torch.save`` of ``(indices, offsets, lengths)``: the rows that a batch looks up, table after table
and sample after sample; where each sample of each table begins in them; and the number of lookups, (tables, batch).
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from data.sharding.lookups import histogram
from data.sharding.tables import EmbeddingTables
from runs.errors import InvalidProblem, StorageError
from runs.store.cache import ArtifactCache, npz_arrays, npz_bytes

FEWEST_ROWS = 100
"""Of a table of which fewer are seen."""
_GZIP = b"\x1f\x8b"
_FIELDS = ("indices", "offsets", "lengths")


def file_tables(
    path: str | Path, cache: str | Path | None = None, rows: Sequence[int] | None = None
) -> EmbeddingTables:
    """The tables of a file; one is read at a time, and what was found is kept by the file's content.

    Parameters
    ----------
    path
        ``.pt.gz`` or ``.pt``. What it unpacks to lies on the disk meanwhile: for the public files some gigabytes.
    cache
        Folder of the artifact cache; None: the file is read each time.
    rows
        Of each table, where they are known; else one more than the highest row that is looked up, and at least 100.

    Raises
    ------
    InvalidProblem
        The file breaks its format: names it, the table and what is wrong.
    StorageError
        There is no room to unpack it.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InvalidProblem(f"{path} does not exist; expected a file of lookups, .pt.gz or .pt")
    if cache is None:
        return _tables(path, rows, None)
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    artifacts = ArtifactCache(cache).collection(
        "lookups", {"content": content, "rows": None if rows is None else [*rows]}
    )

    def make() -> bytes:
        tables = _tables(path, rows, artifacts.folder)
        return npz_bytes(
            {
                "rows": tables.rows,
                "pooling_factor": tables.pooling_factor,
                "unique_bins": tables.unique_bins,
                "lookup_bins": tables.lookup_bins,
                "hot_row": tables.hot_row,
                "batch": np.array(tables.batch),
            }
        )

    found = npz_arrays(artifacts.get_or_make("tables", make))
    batch = int(found.pop("batch"))
    return EmbeddingTables(_names(len(found["rows"])), **found, batch=batch)


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"table{table}" for table in range(count))


def _tables(path: Path, rows: Sequence[int] | None, room: Path | None) -> EmbeddingTables:
    """Read the file; it is unpacked into ``room``."""
    with _unpacked(path, room) as unpacked:
        indices, offsets, lengths = _content(unpacked, path)
        tables, batch = lengths.shape
        if rows is not None and len(rows) != tables:
            raise InvalidProblem(f"{path}: rows has {len(rows)} numbers, and the file {tables} tables; give one each")
        found, sizes = [], []
        for table in range(tables):
            where = f"{path}, table {table}"
            ends = np.asarray(offsets[table * batch : (table + 1) * batch + 1]).astype(np.int64)
            _check_offsets(ends, np.asarray(lengths[table]), len(indices), where)
            of_table = np.asarray(indices[ends[0] : ends[-1]])
            sizes.append(_rows(of_table, None if rows is None else int(rows[table]), where))
            found.append((*histogram(of_table), len(of_table) / batch))
    unique, lookups, hot, pooling = (np.array(column) for column in zip(*found, strict=True))
    return EmbeddingTables(_names(tables), np.array(sizes), pooling, unique, lookups, hot, batch)


@contextmanager
def _unpacked(path: Path, room: Path | None) -> Iterator[Path]:
    """The file without gzip, which a mapped file cannot have."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    if not packed:
        yield path
        return
    if room is not None:
        room.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacked.", dir=room) as folder:
        unpacked = Path(folder) / "lookups.pt"
        with gzip.open(path) as source, unpacked.open("wb") as target:
            try:
                shutil.copyfileobj(source, target, 2**22)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise InvalidProblem(f"{path} is no whole gzip file ({error}); fetch it again") from error
            except OSError as error:
                raise StorageError(
                    f"{path} cannot be unpacked into {folder}: {error.strerror}; free some space"
                ) from error
        yield unpacked


def _content(unpacked: Path, path: Path) -> tuple[Any, Any, Any]:
    """The three tensors, mapped; nothing but tensors is opened."""
    import torch

    try:
        content = torch.load(unpacked, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:  # whatever torch makes of a foreign file
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise InvalidProblem(
            f"{path} cannot be opened without pickle ({reason}); expected torch.save of (indices, offsets, lengths)"
        ) from error
    if not isinstance(content, (tuple, list)) or len(content) != 3:
        what = f"{len(content)} items" if isinstance(content, (tuple, list)) else f"a {type(content).__name__}"
        raise InvalidProblem(f"{path} holds {what}; expected three tensors: indices, offsets, lengths")
    for name, tensor, axes in zip(_FIELDS, content, (1, 1, 2), strict=True):
        if not isinstance(tensor, torch.Tensor):
            raise InvalidProblem(f"{path}: {name} is a {type(tensor).__name__}; expected a tensor")
        if tensor.dtype not in (torch.int32, torch.int64) or tensor.dim() != axes:
            raise InvalidProblem(
                f"{path}: {name} has {tensor.dim()} axes of {tensor.dtype}; expected whole numbers (int32 or int64) and "
                f"{axes}"
            )
    indices, offsets, lengths = content
    if not lengths.numel():
        raise InvalidProblem(
            f"{path}: lengths has shape {tuple(lengths.shape)}; expected (tables, batch), at least one each"
        )
    if len(offsets) != lengths.numel() + 1:
        raise InvalidProblem(
            f"{path}: offsets has {len(offsets)} numbers; expected {lengths.numel() + 1}, one for each of "
            f"{lengths.shape[0]} tables x {lengths.shape[1]} samples and the end"
        )
    if int(offsets[0]) != 0 or int(offsets[-1]) != len(indices):
        raise InvalidProblem(
            f"{path}: offsets go from {int(offsets[0])} to {int(offsets[-1])}; expected 0 to {len(indices)}, the number "
            "of indices"
        )
    return indices, offsets, lengths


def _check_offsets(ends: np.ndarray, lengths: np.ndarray, total: int, where: str) -> None:
    steps = np.diff(ends)
    if (steps < 0).any() or ends[0] < 0 or ends[-1] > total:
        sample = int(np.argmax(steps < 0)) if (steps < 0).any() else 0
        raise InvalidProblem(
            f"{where}: offsets go from {ends[sample]} to {ends[sample + 1]} at sample {sample}; they must not fall, nor "
            f"leave 0 to {total}"
        )
    if (steps != lengths).any():
        sample = int(np.argmax(steps != lengths))
        raise InvalidProblem(
            f"{where}: lengths says {lengths[sample]} lookups of sample {sample}, and offsets {steps[sample]}"
        )


def _rows(indices: np.ndarray, known: int | None, where: str) -> int:
    if indices.min(initial=0) < 0:
        raise InvalidProblem(f"{where}: index {indices.min()}; rows count from 0")
    highest = int(indices.max(initial=-1))
    if known is None:
        return max(FEWEST_ROWS, highest + 1)
    if highest >= known:
        raise InvalidProblem(f"{where}: index {highest}, and the table has {known} rows, from 0")
    return known
