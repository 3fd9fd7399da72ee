"""All that surrounds a design, eliminated once: what is left to solve is as large as a design (docs/papers/surco.md#2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as linalg
from jaxtyping import Complex, Float

from data.photonics.dissection import Dissection, Factorised, ring_of
from data.photonics.operator import Operator

SYMMETRIC = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
"""SuperLU orders by the symmetric pattern and takes diagonal pivots: half of the time of its defaults, to 1e-13."""

AT_A_TIME = 8
"""Responses of the outside that are solved at a time: with more a solution takes twice as long, and all would be large."""


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


class Linear(NamedTuple):
    """The equations of a device at one wavelength.

    Attributes
    ----------
    operator
        Of the whole grid.
    source
        (cells of the grid,) the right-hand side.
    readers
        (readers, cells of the grid) sparse, linear in the field: amplitudes at the ports.
    """

    operator: Operator
    source: Complex[np.ndarray, " grid"]
    readers: sp.csr_matrix


class Answered(NamedTuple):
    """What designs do to the light.

    Attributes
    ----------
    amplitudes
        (batch, wavelengths, readers) what the readers of the ports read.
    field
        (batch, wavelengths, cells) in the designs.
    factorised
        Equations of the designs, for the adjoint field.
    """

    amplitudes: Complex[np.ndarray, "batch wavelengths readers"]
    field: Complex[np.ndarray, "batch wavelengths cells"]
    factorised: Factorised


class Condensed:
    """One source at several wavelengths, and any designs.

    The cells outside see a design through the ring of its outermost cells, and the readers of the ports are affine in the
    field there. Designs take one elimination of their own cells, with the ring's dense coupling through the outside. As the
    equations are symmetric, the adjoint field is another solution of the same.

    Parameters
    ----------
    equations
        By wavelength.
    permittivity
        (x, y) relative, of the whole grid; what it is in the design does not count.
    box
        The design. No source and no reader lies in it.
    """

    def __init__(self, equations: Sequence[Linear], permittivity: Float[np.ndarray, "x y"], box: Box) -> None:
        numbers = np.arange(permittivity.size).reshape(permittivity.shape)
        self.shape, self.inner = permittivity.shape, numbers[box.window].reshape(-1)
        outside = np.ones(permittivity.size, dtype=bool)
        outside[self.inner] = False
        self.outer = np.flatnonzero(outside)
        curls = [each.operator.curl.tocsr()[self.inner][:, self.inner] for each in equations]
        self.ring = ring_of(box.shape)
        self.exteriors, self.couplings, alone, constant, reading, beside = [], [], [], [], [], []
        for each in equations:
            matrix = each.operator.matrix(permittivity).tocsr()
            exterior = factorised(matrix[self.outer][:, self.outer])
            coupling = matrix[self.outer][:, self.inner[self.ring]].tocsc()
            alone.append(exterior.solve(each.source[self.outer]))
            readers = each.readers[:, self.outer]
            constant.append(readers @ alone[-1])
            both = sp.vstack([readers, coupling.T]).tocsr()  # what is asked of the response to each cell of the ring
            parts = (coupling[:, start : start + AT_A_TIME].toarray() for start in range(0, len(self.ring), AT_A_TIME))
            asked = -np.concatenate([both @ exterior.solve(part) for part in parts], axis=1)
            reading.append(asked[: readers.shape[0]])
            beside.append(asked[readers.shape[0] :])
            self.exteriors.append(exterior)
            self.couplings.append(coupling)
        self.alone, self.constant, self.reading = map(np.stack, (alone, constant, reading))
        self.design = Dissection(box.shape, curls, np.stack(beside))
        source = [-(coupling.T @ field) for coupling, field in zip(self.couplings, alone, strict=True)]
        self.source = np.stack(source)  # on the ring
        self.weight = np.stack([each.operator.weight[self.inner] for each in equations])

    def answer(self, permittivity: Float[np.ndarray, "batch x y"]) -> Answered:
        """With designs of these relative permittivities."""
        diagonal = self.weight * permittivity.reshape(len(permittivity), 1, -1)
        factorised = self.design.factorise(diagonal)
        field = self._solved(factorised, np.repeat(self.source[None], len(diagonal), axis=0))
        amplitudes = self.constant + np.einsum("wri,bwi->bwr", self.reading, field[..., self.ring])
        return Answered(amplitudes, field, factorised)

    def gradient(
        self, answered: Answered, slopes: Complex[np.ndarray, "batch wavelengths readers"]
    ) -> Float[np.ndarray, "batch cells"]:
        """df/d(relative permittivity of the design), of ``slopes`` with df = Re(sum of slopes times d(amplitudes))."""
        adjoint = self._solved(answered.factorised, np.einsum("wri,bwr->bwi", self.reading, slopes))
        gradient: np.ndarray = (self.weight * answered.field * adjoint).real.sum(axis=1)
        return gradient

    def _solved(self, factorised: Factorised, source: Complex[np.ndarray, "batch wavelengths ring"]) -> np.ndarray:
        return self.design.solve(factorised, source[..., None])[..., 0]

    def everywhere(self, answered: Answered, row: int, wavelength: int) -> Complex[np.ndarray, "x y"]:
        """The field of one design of the batch on the whole grid."""
        inside = answered.field[row, wavelength]
        field = np.zeros(self.shape[0] * self.shape[1], complex)
        field[self.inner] = inside
        behind = self.couplings[wavelength] @ inside[self.ring]
        field[self.outer] = self.alone[wavelength] - self.exteriors[wavelength].solve(behind)
        return field.reshape(self.shape)
