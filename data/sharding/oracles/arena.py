"""Memory for the weights of embedding tables that are measured on a processor, reserved once and taken as it is needed."""

from __future__ import annotations

import mmap
import sys

import numpy as np
import torch
from torch import Tensor

from runs.errors import StorageError

RESERVED_BYTES = 2**42
"""Of addresses; memory is taken for the pages of rows that are looked up."""
WIDEST = 128
"""Dimension up to which all pieces of a table share one place."""
_FLOAT = 4
_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0  # MAP_NORESERVE; Python names it from 3.13 on


class Arena:
    """One stretch of addresses that holds the weights of many tables.

    Building a module for each shard would cost more than what is measured (docs/papers/neuroshard.md#2.5). A row's page is
    taken from memory when the row is first written; without that, all rows would be read from one page of zeros.

    Parameters
    ----------
    memory_gib
        The places are given up by :meth:`spare` once so much may have been taken.

    Raises
    ------
    StorageError
        The system reserves no addresses.
    """

    def __init__(self, memory_gib: float = 4.0) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE
        try:
            self._map = mmap.mmap(-1, RESERVED_BYTES, flags=flags)
        except OSError as error:
            raise StorageError(
                f"the system reserves no {RESERVED_BYTES // 2**40} TiB of addresses ({error.strerror}); lift `ulimit -v`, "
                "and set vm.overcommit_memory to 0 or 1"
            ) from error
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            self._map.madvise(mmap.MADV_NOHUGEPAGE)  # a large page for every row would take all memory
        self.weights = torch.frombuffer(self._map, dtype=torch.float32)
        self.memory = memory_gib * 2**30
        self._forget()

    def place(self, table: str, rows: int, dim: int, looked_up: np.ndarray) -> int:
        """Where the weights (rows, dim) of a table begin in :attr:`weights`; the rows that are looked up are in memory.

        Raises
        ------
        StorageError
            There are no addresses left.
        """
        key = table, dim if dim > WIDEST else WIDEST
        if key not in self._places:
            self._places[key] = self._end
            self._end += -(-rows * key[1] // 1024) * 1024  # whole pages
        if self._end * _FLOAT > RESERVED_BYTES:
            raise StorageError(f"tables of {self._end * _FLOAT / 2**30:.4g} GiB are more than there are addresses for")
        place = self._places[key]
        if (table, dim) not in self._written:
            self._written.add((table, dim))
            rows_used = np.unique(looked_up)
            self._taken += len(rows_used) * max(mmap.PAGESIZE, dim * _FLOAT)
            values = np.random.default_rng(0).random((len(rows_used), dim), dtype=np.float32)
            self.view(place, rows, dim).numpy()[rows_used] = values
        return place

    def view(self, place: int, rows: int, dim: int) -> Tensor:
        """The weights (rows, dim) that begin at a place."""
        return self.weights[place : place + rows * dim].view(rows, dim)

    def spare(self) -> None:
        """Give all places up if much memory has been taken; no view of before may be used after."""
        if self._taken > self.memory:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._forget()

    def _forget(self) -> None:
        self._places: dict[tuple[str, int], int] = {}
        self._written: set[tuple[str, int]] = set()
        self._end, self._taken = 0, 0
