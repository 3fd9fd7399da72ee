"""All that surrounds a design, eliminated once: what is left to solve is as large as a design (docs/papers/surco.md#2.3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as linalg
from jaxtyping import Complex, Float

from data.photonics.operator import Operator

SYMMETRIC = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
"""SuperLU orders by the symmetric pattern and takes diagonal pivots: half of the time of its defaults, to 1e-13."""


class Box(NamedTuple):
    """The cells of a design: ``x0`` to ``x1 - 1`` along x, ``y0`` to ``y1 - 1`` along y."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along x and y."""
        return self.x1 - self.x0, self.y1 - self.y0

    @property
    def window(self) -> tuple[slice, slice]:
        """Its part of an image."""
        return slice(self.x0, self.x1), slice(self.y0, self.y1)


def factorised(matrix: sp.spmatrix) -> Any:
    """A complex symmetric matrix, ready for solutions."""
    return linalg.splu(matrix.tocsc(), **SYMMETRIC)


class Answered(NamedTuple):
    """A field in the design.

    Attributes
    ----------
    amplitudes
        (readers,) what the readers of the ports read.
    field
        (cells,) of the design, row by row.
    factor
        Of the design's matrix.
    """

    amplitudes: Complex[np.ndarray, " readers"]
    field: Complex[np.ndarray, " cells"]
    factor: Any


class Condensed:
    """One source at one wavelength, and any design.

    The cells outside see the design through the ring of its outermost cells, and the readers of the ports are affine in the
    field there. A design takes one factorisation of its own block, to which the ring's dense coupling is added, one solution
    for the field and, as the matrix is symmetric, one more with the same factor for a gradient.

    Parameters
    ----------
    operator
        Of the whole grid.
    permittivity
        (x, y) relative, of the whole grid; what it is in the design does not count.
    box
        The design. No source and no reader lies in it.
    source
        (cells of the grid,) the right-hand side.
    readers
        (readers, cells of the grid) sparse, linear in the field.
    """

    def __init__(
        self,
        operator: Operator,
        permittivity: Float[np.ndarray, "x y"],
        box: Box,
        source: Complex[np.ndarray, " grid"],
        readers: sp.csr_matrix,
    ) -> None:
        numbers = np.arange(permittivity.size).reshape(permittivity.shape)
        self.shape, self.inner = permittivity.shape, numbers[box.window].reshape(-1)
        outside = np.ones(permittivity.size, dtype=bool)
        outside[self.inner] = False
        self.outer = np.flatnonzero(outside)
        matrix = operator.matrix(permittivity).tocsr()
        self.exterior = factorised(matrix[self.outer][:, self.outer])
        coupling = matrix[self.outer][:, self.inner].tocsc()
        self.ring = np.flatnonzero(np.diff(coupling.indptr))
        self.coupling = coupling[:, self.ring]
        response = self.exterior.solve(self.coupling.toarray())
        self.alone = self.exterior.solve(source[self.outer])
        reading = readers[:, self.outer]
        self.constant = reading @ self.alone
        self.reading = -(reading @ response)
        self.source = np.zeros(len(self.inner), complex)
        self.source[self.ring] = -(self.coupling.T @ self.alone)
        self.weight = operator.weight[self.inner]
        block = sp.lil_matrix(operator.curl[self.inner][:, self.inner] + sp.identity(len(self.inner)) * 0)
        block[np.ix_(self.ring, self.ring)] -= self.coupling.T @ response
        self.block = sp.csc_matrix(block + sp.identity(len(self.inner)))
        self.block.sort_indices()
        columns = np.repeat(np.arange(len(self.inner)), np.diff(self.block.indptr))
        self.places = np.flatnonzero(self.block.indices == columns)
        self.block.data[self.places] -= 1

    def answer(self, permittivity: Float[np.ndarray, "x y"]) -> Answered:
        """With a design of this relative permittivity."""
        matrix = self.block.copy()
        matrix.data[self.places] -= self.weight * permittivity.reshape(-1)
        factor = linalg.splu(matrix, **SYMMETRIC)
        field = factor.solve(self.source)
        return Answered(self.constant + self.reading @ field[self.ring], field, factor)

    def gradient(self, answered: Answered, slopes: Complex[np.ndarray, " readers"]) -> Float[np.ndarray, " cells"]:
        """df/d(relative permittivity of the design), of ``slopes`` with df = Re(sum of slopes times d(amplitudes))."""
        right = np.zeros(len(self.inner), complex)
        right[self.ring] = slopes @ self.reading
        return (self.weight * answered.factor.solve(right) * answered.field).real

    def everywhere(self, answered: Answered) -> Complex[np.ndarray, "x y"]:
        """The field on the whole grid."""
        field = np.zeros(self.shape[0] * self.shape[1], complex)
        field[self.inner] = answered.field
        field[self.outer] = self.alone - self.exterior.solve(self.coupling @ answered.field[self.ring])
        return field.reshape(self.shape)
