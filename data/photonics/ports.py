"""Where light enters and leaves: modes of a waveguide, and their amplitudes in a field (docs/papers/surco.md#2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Complex, Float

from data.frequency.grid import SPEED_OF_LIGHT
from data.photonics.operator import MU_0, Grid, differences

DIRECTIONS = ("x+", "x-", "y+", "y-")


@dataclass(frozen=True)
class Port:
    """A line across a waveguide.

    Parameters
    ----------
    x, y
        Cell in its middle.
    width
        Cells across, even.
    direction
        Into the device: ``x+`` at the left border, ``x-`` at the right, ``y+`` at the lower, ``y-`` at the upper.
    mode
        1 is the fundamental one.
    monitor
        Cells from the port to where its amplitudes are read, in its direction.
    """

    x: int
    y: int
    width: int
    direction: str
    mode: int = 1
    monitor: int = 1

    @property
    def axis(self) -> int:
        """0 along x, 1 along y."""
        return "xy".index(self.direction[0])

    @property
    def sign(self) -> int:
        """1 where the direction is that of the axis, else -1."""
        return 1 if self.direction[1] == "+" else -1

    def cells(self, offset: int = 0) -> tuple[slice, slice]:
        """The line, moved in the port's direction."""
        middle = [self.x, self.y]
        middle[self.axis] += self.sign * offset
        place = [slice(at, at + 1) for at in middle]
        across = middle[1 - self.axis]
        place[1 - self.axis] = slice(across - self.width // 2, across + self.width // 2)
        return place[0], place[1]

    def flat(self, grid: Grid, offset: int = 0) -> np.ndarray:
        """Row-major numbers of the line's cells."""
        numbers = np.arange(grid.shape[0] * grid.shape[1]).reshape(grid.shape)
        return numbers[self.cells(offset)].reshape(-1)

    def describe(self, number: int) -> str:
        """For messages."""
        return f"port {number} (at cell {self.x}, {self.y}, direction {self.direction})"


class Mode(NamedTuple):
    """A guided mode.

    Attributes
    ----------
    field
        (width,) electric, of unit length.
    effective_index
        Effective refractive index.
    """

    field: Float[np.ndarray, " width"]
    effective_index: float


def guided_mode(permittivity: Float[np.ndarray, " width"], cell: float, omega: float, order: int) -> Mode | None:
    """The mode with the ``order``-th largest propagation constant; None where so many are not guided.

    Guided modes propagate faster than light does in the cladding, which is what lies at the ends of the line.
    """
    forward = differences(len(permittivity), cell).toarray()
    wave_number = omega / SPEED_OF_LIGHT
    cells = len(permittivity)
    if order > cells:
        return None
    matrix = np.diag(wave_number**2 * permittivity) - forward @ forward.T
    (squared,), vectors = scipy.linalg.eigh(matrix, subset_by_index=[cells - order, cells - order])
    if squared <= wave_number**2 * max(permittivity[0], permittivity[-1]):
        return None
    return Mode(vectors[:, 0], float(np.sqrt(squared) / wave_number))


def amplitudes(port: Port, mode: Mode, grid: Grid, omega: float) -> tuple[np.ndarray, Complex[np.ndarray, "2 cells"]]:
    """What reads the mode's amplitudes into the device and out of it from a field.

    Returns
    -------
    cells
        Row-major numbers of the cells that count.
    readers
        (2, cells) times the field there: into the device, out of it. A mode of amplitude 1 carries 1 W/m, up to a factor
        that is the same for all ports.
    """
    impedance = omega * MU_0 / (mode.effective_index * omega / SPEED_OF_LIGHT)
    here = port.flat(grid, port.monitor)
    step = grid.shape[1] if port.axis == 0 else 1
    before = here - step
    magnetic = mode.field / impedance
    norm = 2 * np.sqrt(2 * np.sum(mode.field * magnetic))
    electric_part = magnetic / 2  # of the mean of both cells
    magnetic_part = -mode.field / (1j * omega * MU_0 * grid.cell)  # h = -dE/dn / (i omega mu_0), between the cells
    along = np.array([electric_part + magnetic_part, electric_part - magnetic_part]) / norm
    behind = np.array([electric_part - magnetic_part, electric_part + magnetic_part]) / norm
    readers = np.concatenate([along, behind], axis=1)
    return np.concatenate([here, before]), readers if port.sign > 0 else readers[::-1]


def width_needed(permittivity: Float[np.ndarray, " width"], cell: float, omega: float, order: int, most: float) -> int:
    """Least even width, with more cladding at both ends, at which the mode has died away to ``most``; up to five times."""
    for more in range(2 * len(permittivity)):
        mode = guided_mode(np.pad(permittivity, more, mode="edge"), cell, omega, order)
        if mode is not None and left_at_the_ends(mode) <= most:
            return len(permittivity) + 2 * more
    return 5 * len(permittivity)


def left_at_the_ends(mode: Mode) -> float:
    """Of the largest amplitude of a mode, what is left at the ends of its line."""
    size = np.abs(mode.field)
    return float(max(size[0], size[-1]) / size.max())
