"""Symmetric five-point equations on a rectangle, eliminated by nested dissection, many at a time (docs/papers/surco.md#2.3).

Boxes of a few cells are eliminated first, then the lines between two neighbours, then those between two such pairs, until
only the *ring* of the outermost cells is left. All boxes of a level have the same size, where need be by cells that do not
exist, so that each level is a few products of stacks of dense matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Complex, Int

LEAF = 5
"""Most cells along a side of the boxes that are eliminated first."""


class _Half(NamedTuple):
    """One of the two boxes that a box is made of.

    Attributes
    ----------
    inner, kept
        Places in its border of the cells that are eliminated, in the order of the line, and of the others.
    border
        Cells of it.
    """

    inner: Int[np.ndarray, " cells"]
    kept: Int[np.ndarray, " kept"]
    border: int

    def among(self, matrices: np.ndarray) -> np.ndarray:
        """Of flattened matrices of the border, what couples the line's cells."""
        return self._part(matrices, self.inner, self.inner)

    def across(self, matrices: np.ndarray) -> np.ndarray:
        """What couples the line and the rest."""
        return self._part(matrices, self.inner, self.kept)

    def around(self, matrices: np.ndarray) -> np.ndarray:
        """What couples the rest."""
        return self._part(matrices, self.kept, self.kept)

    def _part(self, matrices: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        places = rows[:, None] * self.border + columns
        return matrices.take(places, axis=-1)  # several times as fast as an index of two arrays


class _Level(NamedTuple):
    """Boxes in rows and columns, each with cells to eliminate and the border that they leave coupled.

    Attributes
    ----------
    cells, border
        (rows, columns, ...) numbers of cells; the number of all cells for one that does not exist.
    halves
        None for the first level. A border is what one half keeps, what the other keeps, and both ends of the line.
    axis
        Along which two boxes became one.
    """

    cells: Int[np.ndarray, "rows columns cells"]
    border: Int[np.ndarray, "rows columns border"]
    halves: tuple[_Half, ...] = ()
    axis: int = 0


class Eliminated(NamedTuple):
    """What is left on the ring, and how the other cells follow from it.

    Attributes
    ----------
    ring
        (batch, kinds, ring, ring) what the ring's own matrix is to be increased by.
    followers
        By level, (batch, kinds, rows, columns, cells, border): minus the cells' values for values on their border.
    """

    ring: Complex[np.ndarray, "batch kinds ring ring"]
    followers: list[Complex[np.ndarray, "batch kinds rows columns cells border"]]


class Dissection:
    """The equations ``matrix - diag(d)`` of the cells inside the ring of a rectangle, for any diagonals d.

    Parameters
    ----------
    shape
        Cells along x and y; cells are numbered row by row.
    matrices
        (cells, cells) of each kind of equations (one for a wavelength, say), complex symmetric, with five points.
    leaf
        Most cells along a side of the first boxes, at least 3: then none is empty.
    """

    def __init__(self, shape: tuple[int, int], matrices: Sequence[sp.spmatrix], leaf: int = LEAF) -> None:
        self.cells = shape[0] * shape[1]
        numbers = np.arange(self.cells).reshape(shape)
        inside = np.zeros(shape, bool)
        inside[1:-1, 1:-1] = True
        self.ring = numbers[~inside]
        self.levels = _levels(shape, leaf) if inside.any() else []
        self._own = [_entries(level, matrices, self.cells) for level in self.levels]
        self._diagonals = [np.append(level.cells.reshape(-1), 0) for level in self.levels]
        if self.levels:
            border = self.levels[-1].border.reshape(-1)
            self._outer = np.flatnonzero(border < self.cells)
            self._in_ring = np.searchsorted(self.ring, border[self._outer])

    def eliminate(self, diagonal: Complex[np.ndarray, "batch kinds cells"]) -> Eliminated:
        """All cells but the ring's, for each diagonal of the batch."""
        diagonal = np.concatenate([diagonal, np.zeros((*diagonal.shape[:2], 1))], axis=2)
        followers: list[np.ndarray] = []
        left = np.empty(0)
        for level, (among, across) in zip(self.levels, self._own, strict=True):
            own = np.repeat(among[None], len(diagonal), axis=0)
            np.einsum("...ii->...i", own)[...] -= diagonal[:, :, level.cells]
            if not level.halves:
                follower = -np.linalg.inv(own) @ across
                left = np.swapaxes(across, -1, -2) @ follower
            else:
                parts = list(zip(_pair(left, level.axis), level.halves, strict=True))
                for matrix, half in parts:
                    own += half.among(matrix)
                coupled = np.concatenate(
                    [
                        *(half.across(matrix) for matrix, half in parts),
                        np.broadcast_to(across, (len(own), *across.shape)),
                    ],
                    axis=-1,
                )
                follower = -np.linalg.inv(own) @ coupled
                left = np.swapaxes(coupled, -1, -2) @ follower
                start = 0
                for matrix, half in parts:
                    stop = start + len(half.kept)
                    left[..., start:stop, start:stop] += half.around(matrix)
                    start = stop
            followers.append(follower)
        ring = np.zeros((*diagonal.shape[:2], len(self.ring), len(self.ring)), complex)
        if self.levels:
            ring[..., self._in_ring[:, None], self._in_ring] = left[..., 0, 0, self._outer[:, None], self._outer]
        return Eliminated(ring, followers)

    def everywhere(
        self, eliminated: Eliminated, ring: Complex[np.ndarray, "batch kinds ring columns"]
    ) -> Complex[np.ndarray, "batch kinds cells columns"]:
        """Values of all cells, from those of the ring."""
        values = np.zeros((*ring.shape[:2], self.cells + 1, ring.shape[3]), complex)
        values[:, :, self.ring] = ring
        for level, follower in zip(reversed(self.levels), reversed(eliminated.followers), strict=True):
            values[:, :, level.cells] = follower @ values[:, :, level.border]
        return values[:, :, :-1]


def _pair(left: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Of boxes in rows and columns, those that are first and those that are second along an axis, matrices flattened."""
    flat = left.reshape(*left.shape[:-2], -1)
    return (flat[:, :, 0::2], flat[:, :, 1::2]) if axis == 0 else (flat[:, :, :, 0::2], flat[:, :, :, 1::2])


def _levels(shape: tuple[int, int], leaf: int) -> list[_Level]:
    splits = [_splits(cells - 2, leaf) for cells in shape]
    table = _table(shape, splits, leaf)
    size = [(cells - 1) // 2**split - 1 for cells, split in zip(table.shape, splits, strict=True)]
    inside = np.argwhere(np.ones(size))
    border = np.concatenate(
        [[[x, y] for y in range(size[1])] for x in (-1, size[0])]
        + [[[x, y] for x in range(size[0])] for y in (-1, size[1])]
    )
    levels = [_Level(_cells(table, size, inside), _cells(table, size, border))]
    while any(splits):
        # the shorter side first: what is left between boxes stays short
        axis = min((0, 1), key=lambda each: (not splits[each], size[each]))
        at = size[axis]
        beyond = border + np.eye(2, dtype=int)[axis] * (at + 1)
        halves = []
        for each in (border, beyond):
            between = each[:, axis] == at
            line = np.flatnonzero(between)
            halves.append(_Half(line[np.argsort(each[line, 1 - axis])], np.flatnonzero(~between), len(each)))
        line = np.insert(np.arange(size[1 - axis])[:, None], axis, at, axis=1)
        ends = np.insert(np.array([[-1], [size[1 - axis]]]), axis, at, axis=1)
        border = np.concatenate([border[halves[0].kept], beyond[halves[1].kept], ends])
        splits[axis] -= 1
        size[axis] = 2 * at + 1
        levels.append(_Level(_cells(table, size, line), _cells(table, size, border), tuple(halves), axis))
    return levels


def _splits(cells: int, leaf: int) -> int:
    """How often an axis is halved, each time by a line of cells, until no part is longer than ``leaf``."""
    splits = 0
    while cells - (2**splits - 1) > leaf * 2**splits:
        splits += 1
    return splits


def _table(shape: tuple[int, int], splits: Sequence[int], leaf: int) -> Int[np.ndarray, "x y"]:
    """Numbers of cells where all parts of an axis are equally long; that of all cells where there is none."""
    axes = []
    for cells, split in zip(shape, splits, strict=True):
        longest = -(-(cells - 2 - (2**split - 1)) // 2**split)
        axes.append(np.array([0, *_halved(1, cells - 2, split, 2**split * (longest + 1) - 1), cells - 1]))
    x, y = np.meshgrid(*axes, indexing="ij")
    return np.where((x < 0) | (y < 0), shape[0] * shape[1], x * shape[1] + y)


def _halved(first: int, cells: int, splits: int, size: int) -> list[int]:
    if not splits:
        return [*range(first, first + cells), *[-1] * (size - cells)]
    before, half = cells // 2, (size - 1) // 2
    middle = first + before
    return [
        *_halved(first, before, splits - 1, half), middle, *_halved(middle + 1, cells - 1 - before, splits - 1, half)
    ]  # fmt: skip


def _cells(table: Int[np.ndarray, "x y"], size: Sequence[int], places: Int[np.ndarray, "n 2"]) -> np.ndarray:
    """Numbers of the cells at places relative to the first inner cell of each box."""
    x, y = (np.arange(1, length - 1, step + 1) for length, step in zip(table.shape, size, strict=True))
    return table[x[:, None, None] + places[:, 0], y[None, :, None] + places[:, 1]]


def _entries(level: _Level, matrices: Sequence[sp.spmatrix], cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a level's boxes, the matrices of its cells, and those between them and their border, of all kinds."""
    rows, columns, inner = level.cells.shape
    here = np.concatenate([level.cells, level.border], axis=-1).reshape(rows * columns, -1)
    place = np.full((len(here), cells + 1), -1)
    np.put_along_axis(place, here, np.arange(here.shape[1])[None], axis=1)
    place[:, cells] = -1
    box = np.full(cells + 1, -1)
    box[level.cells.reshape(-1)] = np.repeat(np.arange(len(here)), inner)
    box[cells] = -1
    found = np.zeros((len(matrices), *here.shape[:1], inner, here.shape[1]), complex)
    for kind, matrix in enumerate(matrices):
        entries: Any = sp.coo_matrix(matrix)
        owner = box[entries.row]
        mine = (owner >= 0) & (place[owner, entries.col] >= 0)
        owner, row, column = owner[mine], entries.row[mine], entries.col[mine]
        np.add.at(found[kind], (owner, place[owner, row], place[owner, column]), entries.data[mine])
    none = np.argwhere(here[:, :inner] == cells)
    found[:, none[:, 0], none[:, 1], none[:, 1]] = 1
    found = found.reshape(len(matrices), rows, columns, inner, -1)
    # beside the line's own cells only its two ends are coupled with it by the equations themselves
    return found[..., :inner].copy(), found[..., -2 if level.halves else inner :].copy()
