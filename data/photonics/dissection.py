"""Symmetric five-point equations on a rectangle, eliminated by nested dissection, many at a time (docs/papers/surco.md#2.3).

Boxes of a few cells are eliminated first, then the lines between two neighbours, then those between two such pairs, until
only the *ring* of the outermost cells is left. All boxes of a level have the same size, where need be by cells that do not
exist, so that each level is a few products of stacks of dense matrices. A box in which a wave resonates costs digits, which
solutions win back by refinement, or by a sparse factorisation where the resonance is too sharp for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg as linalg
from jaxtyping import Complex, Int

LEAF = 5
"""Most cells along a side of the boxes that are eliminated first."""
EXACT = 1e-11
"""Of the largest right side, what a solution may miss; S is then exact to about ten times as much."""
REFINEMENTS = 3
"""At most; mostly one is enough."""


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


class _Eliminated(NamedTuple):
    """A level of boxes without their cells.

    Attributes
    ----------
    inverse
        (batch, kinds, rows, columns, cells, cells) minus the inverse of the cells' matrix.
    follower
        (batch, kinds, rows, columns, cells, border): the cells' values for values on their border.
    """

    inverse: Complex[np.ndarray, "batch kinds rows columns cells cells"]
    follower: Complex[np.ndarray, "batch kinds rows columns cells border"]


class Factorised(NamedTuple):
    """Equations that are ready for solutions.

    Attributes
    ----------
    diagonal
        (batch, kinds, cells) of them.
    levels
        The first boxes first.
    ring
        LU factors of what is left on the ring, by batch and kind.
    """

    diagonal: Complex[np.ndarray, "batch kinds cells"]
    levels: list[_Eliminated]
    ring: list[list[Any]]


class Dissection:
    """The equations ``matrix - diag(d)`` of a rectangle of cells, for any diagonals d.

    Parameters
    ----------
    shape
        Cells along x and y; cells are numbered row by row.
    matrices
        (cells, cells) of each kind of equations (one for a wavelength, say), complex symmetric, with five points.
    ring
        (kinds, ring, ring) symmetric, what couples the cells of the ring besides.
    leaf
        Most cells along a side of the first boxes, at least 3: then none is empty.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        matrices: Sequence[sp.spmatrix],
        ring: Complex[np.ndarray, "kinds ring ring"],
        leaf: int = LEAF,
    ) -> None:
        self.cells = shape[0] * shape[1]
        self.ring = ring_of(shape)
        self.matrices, self.beside = [sp.csr_matrix(matrix) for matrix in matrices], ring
        self.outermost = np.stack([matrix[self.ring][:, self.ring].toarray() for matrix in self.matrices]) + ring
        self.levels = _levels(shape, leaf) if min(shape) > 2 else []
        self._own = [_entries(level, matrices, self.cells) for level in self.levels]
        border = self.levels[-1].border.reshape(-1) if self.levels else np.empty(0, int)
        self._outer = np.flatnonzero(border < self.cells)
        self._in_ring = np.searchsorted(self.ring, border[self._outer])

    def factorise(self, diagonal: Complex[np.ndarray, "batch kinds cells"]) -> Factorised:
        """Eliminate all cells, for each diagonal of the batch."""
        padded = _padded(diagonal, 2)
        done: list[_Eliminated] = []
        left = np.empty(0)
        for level, (among, across) in zip(self.levels, self._own, strict=True):
            own = np.repeat(among[None], len(diagonal), axis=0)
            np.einsum("...ii->...i", own)[...] -= padded[:, :, level.cells]
            parts = list(zip(_pair(left, level.axis), level.halves, strict=True)) if level.halves else []
            for matrix, half in parts:
                own += half.among(matrix)
            inverse = -np.linalg.inv(own)
            ends = np.broadcast_to(across, (len(own), *across.shape))
            coupled = np.concatenate([*(half.across(matrix) for matrix, half in parts), ends], axis=-1)
            done.append(_Eliminated(inverse, inverse @ coupled))
            left = np.swapaxes(coupled, -1, -2) @ done[-1].follower
            start = 0
            for matrix, half in parts:
                stop = start + len(half.kept)
                left[..., start:stop, start:stop] += half.around(matrix)
                start = stop
        ring = np.repeat(self.outermost[None], len(diagonal), axis=0)
        np.einsum("...ii->...i", ring)[...] -= diagonal[:, :, self.ring]
        if self.levels:
            ring[..., self._in_ring[:, None], self._in_ring] += left[..., 0, 0, self._outer[:, None], self._outer]
        return Factorised(diagonal, done, [[scipy.linalg.lu_factor(matrix) for matrix in row] for row in ring])

    def solve(
        self, factorised: Factorised, right: Complex[np.ndarray, "batch kinds ring columns"]
    ) -> Complex[np.ndarray, "batch kinds cells columns"]:
        """Values of all cells for right sides on the ring, refined until they are as exact as the equations allow."""
        values = self._inwards(factorised, right, [])
        size = np.abs(right).max(axis=2)
        for _ in range(REFINEMENTS + 1):
            missing = -self._times(factorised.diagonal, values)
            missing[:, :, self.ring] += right
            inexact = (~(np.abs(missing).max(axis=2) <= EXACT * size)).any(axis=-1)
            if not inexact.any():
                return values
            outermost, wanted = self._outwards(factorised, missing)
            values += self._inwards(factorised, outermost, wanted)
        for row, kind in np.argwhere(inexact):
            values[row, kind] = self._otherwise(factorised.diagonal[row, kind], kind, right[row, kind])
        return values

    def _otherwise(self, diagonal: np.ndarray, kind: int, right: np.ndarray) -> np.ndarray:
        """One solution by a sparse factorisation with pivots."""
        places = np.repeat(self.ring, len(self.ring)), np.tile(self.ring, len(self.ring))
        beside = sp.csc_matrix((self.beside[kind].reshape(-1), places), shape=(self.cells, self.cells))
        whole = np.zeros((self.cells, right.shape[1]), complex)
        whole[self.ring] = right
        found: np.ndarray = linalg.splu((self.matrices[kind] - sp.diags(diagonal) + beside).tocsc()).solve(whole)
        return found

    def _times(self, diagonal: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The equations' left side."""
        found = -diagonal[..., None] * values
        for kind, matrix in enumerate(self.matrices):
            for row in range(len(values)):
                found[row, kind] += matrix @ values[row, kind]
        found[:, :, self.ring] += self.beside @ values[:, :, self.ring]
        return found

    def _outwards(self, factorised: Factorised, right: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Right sides of the ring, and of the cells of every level, after all that is eliminated before."""
        padded = _padded(right, 2)
        wanted: list[np.ndarray] = []
        passed = np.empty(0)
        for level, done in zip(self.levels, factorised.levels, strict=True):
            own = padded[:, :, level.cells]
            parts = list(zip(_halves(passed, level.axis), level.halves, strict=True)) if level.halves else []
            for part, half in parts:
                own += part[..., half.inner, :]
            wanted.append(own)
            passed = np.swapaxes(done.follower, -1, -2) @ own
            start = 0
            for part, half in parts:
                stop = start + len(half.kept)
                passed[..., start:stop, :] += part[..., half.kept, :]
                start = stop
        ring = right[:, :, self.ring]
        if self.levels:
            ring[:, :, self._in_ring] += passed[:, :, 0, 0, self._outer]
        return ring, wanted

    def _inwards(self, factorised: Factorised, right: np.ndarray, wanted: list[np.ndarray]) -> np.ndarray:
        """Values of all cells; without right sides of levels they are zero."""
        values = np.zeros((*right.shape[:2], self.cells + 1, right.shape[3]), complex)
        for row, factors in enumerate(factorised.ring):
            for kind, factor in enumerate(factors):
                values[row, kind, self.ring] = scipy.linalg.lu_solve(factor, right[row, kind])
        for number in reversed(range(len(self.levels))):
            level, done = self.levels[number], factorised.levels[number]
            found = done.follower @ values[:, :, level.border]
            values[:, :, level.cells] = found - done.inverse @ wanted[number] if wanted else found
        return values[:, :, :-1]


def ring_of(shape: tuple[int, int]) -> Int[np.ndarray, " ring"]:
    """Numbers of the outermost cells of a rectangle, rising."""
    inside = np.zeros(shape, bool)
    inside[1:-1, 1:-1] = True
    return np.flatnonzero(~inside)


def _padded(values: np.ndarray, axis: int) -> np.ndarray:
    """With zeros for the cell that does not exist."""
    return np.concatenate([values, np.zeros_like(values.take([0], axis=axis))], axis=axis)


def _halves(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Of boxes in rows and columns, those that are first and those that are second along an axis."""
    return (values[:, :, 0::2], values[:, :, 1::2]) if axis == 0 else (values[:, :, :, 0::2], values[:, :, :, 1::2])


def _pair(left: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of matrices, which are flattened."""
    return _halves(left.reshape(*left.shape[:-2], -1), axis)


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
