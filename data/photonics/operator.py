"""Maxwell's equations in two dimensions, electric field out of the plane, as a sparse matrix (docs/papers/surco.md#2.3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Complex, Float

from data.frequency.grid import SPEED_OF_LIGHT

EPSILON_0 = 8.85418782e-12
"""F/m, as in the published packages, to whose values ours are equal."""
MU_0 = 1.25663706e-6
"""H/m, likewise."""
IMPEDANCE = (MU_0 / EPSILON_0) ** 0.5
"""Ohm."""
DECAY = 30.0
"""Of the absorbing layers: minus the logarithm of what they reflect."""
GRADE = 3
"""Power with which their conductivity rises."""


class Grid(NamedTuple):
    """A rectangle of square cells that absorbs at its borders.

    Attributes
    ----------
    shape
        Cells along x and y, the absorbing ones included.
    cell
        m.
    absorbing
        Cells at each border.
    """

    shape: tuple[int, int]
    cell: float
    absorbing: int


class Stretch(NamedTuple):
    """Complex factors of the cells along one axis, for forward and for backward differences."""

    forward: Complex[np.ndarray, " cells"]
    backward: Complex[np.ndarray, " cells"]


def angular_frequency(wavelength: float) -> float:
    """rad/s, of a wavelength in m."""
    return 2 * np.pi * SPEED_OF_LIGHT / wavelength


def stretch(cells: int, grid: Grid, omega: float) -> Stretch:
    """What absorbs along an axis: 1 inside, and a conductivity that grows with the depth in a border."""
    place, inner = np.arange(cells), grid.absorbing
    if not inner:
        return Stretch(np.ones(cells, complex), np.ones(cells, complex))
    factors = []
    for shift in (0.5, 1.0):
        depth = np.where(place <= inner, inner - place + shift, 0.0)
        depth = np.where(place > cells - inner, place - cells + inner - shift, depth)
        conductivity = (GRADE + 1) * DECAY / (2 * IMPEDANCE * inner * grid.cell) * (depth / inner) ** GRADE
        factors.append(1 - 1j * conductivity / (omega * EPSILON_0))
    return Stretch(*factors)


def differences(cells: int, cell: float) -> sp.csr_matrix:
    """Forward differences of a periodic axis; backward ones are minus the transpose."""
    forward = sp.diags([1.0], [1], (cells, cells), format="lil")
    forward[cells - 1, 0] = 1.0
    return ((forward - sp.identity(cells)) / cell).tocsr()


class Operator(NamedTuple):
    """The equation at one wavelength, for row-major fields: ``curl - diag(weight * permittivity)`` times them is the source.

    Rows are multiplied by the forward factors of their cell along x and y, so that the matrix is complex symmetric: one
    factorisation solves for fields and for adjoints.

    Attributes
    ----------
    curl
        (cells, cells) complex symmetric.
    weight
        (cells,) what a cell's relative permittivity is multiplied with.
    source
        (cells,) what a current density is multiplied with.
    """

    curl: sp.csr_matrix
    weight: Complex[np.ndarray, " cells"]
    source: Complex[np.ndarray, " cells"]

    @classmethod
    def of(cls, grid: Grid, omega: float) -> Operator:
        """At an angular frequency in rad/s."""
        axes = [stretch(cells, grid, omega) for cells in grid.shape]
        scale = np.multiply.outer(axes[0].forward, axes[1].forward).reshape(-1)
        parts = []
        for along, (cells, factors) in enumerate(zip(grid.shape, axes, strict=True)):
            forward = differences(cells, grid.cell)
            second = forward @ sp.diags(1 / factors.backward) @ forward.T
            across = sp.diags(axes[1 - along].forward)
            parts.append(sp.kron(second, across) if along == 0 else sp.kron(across, second))
        curl = (parts[0] + parts[1]).tocsr() / MU_0
        return cls(curl, EPSILON_0 * omega**2 * scale, 1j * omega * scale)

    def matrix(self, permittivity: Float[np.ndarray, "x y"]) -> sp.csc_matrix:
        """Of a relative permittivity."""
        return (self.curl - sp.diags(self.weight * permittivity.reshape(-1))).tocsc()
