"""A photonic device whose design is searched: ports, windows of what they pass, and a brush (docs/papers/surco.md#2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Complex, Float, Int8

from data.frequency.decibels import decibels
from data.frequency.grid import wavelength_of
from data.frequency.scattering import Bound, ScatteringTable, parameter
from data.photonics.brush import BrushRule, Surroundings
from data.photonics.condensed import Answered, Box, Condensed, Linear, factorised
from data.photonics.operator import Grid, Operator, angular_frequency
from data.photonics.ports import Mode, Port, amplitudes, guided_mode, left_at_the_ends, width_needed
from data.photonics.windows import LOSSES, Loss, Term, Window, Worst, check_window, refuse_contradictions, terms
from data.queried import Queried
from runs.errors import InvalidProblem, SolverFailure

PASSIVE = 1.02
"""Above it, an |S| of a device that amplifies nothing is an error; waves that are no guided ones may add a little to what is
read."""
AT_A_TIME = 13_000
"""Most cells of designs, at all wavelengths together, that are solved at a time: more do not stay in a processor's cache."""
DIED = 0.02
"""Of a mode's largest amplitude, what it may still have at the ends of its port."""


@dataclass(frozen=True, eq=False)
class PhotonicProblem:
    """Minimise a loss of the windows over designs that a brush can paint; x has its pixels row by row, 1 for solid.

    Parameters
    ----------
    name
        Of the device.
    grid
        Cells and absorbing borders.
    background
        (x, y) relative permittivity of everything but the design; ports' modes are those of it.
    box
        The design.
    void, solid
        Relative permittivities.
    ports
        The first is where light enters.
    wavelengths
        m.
    windows
        All of them must be met.
    brush
        What designs are painted with.
    fixed
        (box) 1 where solid is prescribed, 0 where void is, -1 elsewhere; None for nowhere.
    loss
        Whether the relaxed cost compares |S| with its limits, or its square.
    """

    name: str
    grid: Grid
    background: Float[np.ndarray, "x y"]
    box: Box
    void: float
    solid: float
    ports: tuple[Port, ...]
    wavelengths: tuple[float, ...]
    windows: tuple[Window, ...]
    brush: Bool[np.ndarray, "bx by"]
    fixed: Int8[np.ndarray, "x y"] | None = None
    loss: Loss = "amplitude"

    maximize = False

    @property
    def variables(self) -> int:
        """Pixels of the design."""
        return self.box.shape[0] * self.box.shape[1]

    @cached_property
    def rule(self) -> BrushRule:
        """Which designs the brush can paint."""
        return BrushRule(self.box.shape, self.brush, self.fixed)

    @property
    def surroundings(self) -> Surroundings:
        """What lies around the design, as solid and void."""
        return Surroundings(self.background > (self.void + self.solid) / 2, (self.box.x0, self.box.y0))

    def validate(self) -> None:
        """Check geometry, materials, ports, windows and brush.

        Raises
        ------
        InvalidProblem
            Names the field, and what would do.
        """
        if self.loss not in LOSSES:
            raise InvalidProblem(f"{self.name}: loss is '{self.loss}'; choose {' or '.join(LOSSES)}")
        shape, absorbing = self.grid.shape, self.grid.absorbing
        if self.background.shape != shape or not (np.isfinite(self.background) & (self.background >= 1)).all():
            raise InvalidProblem(
                f"{self.name}: the background is {self.background.shape} and the grid {shape}; expected relative "
                "permittivities of at least 1, one a cell"
            )
        if not 1 <= self.void < self.solid:
            raise InvalidProblem(
                f"{self.name}: permittivities are {self.void:g} (void) and {self.solid:g} (solid); expected 1 <= void < "
                "solid"
            )
        box = self.box
        if not (
            absorbing <= box.x0 < box.x1 <= shape[0] - absorbing
            and absorbing <= box.y0 < box.y1 <= shape[1] - absorbing
        ):
            raise InvalidProblem(
                f"{self.name}: the design, cells {tuple(box)}, is to lie inside the absorbing borders, from {absorbing} to "
                f"{shape[0] - absorbing} along x and {shape[1] - absorbing} along y"
            )
        self._validate_wavelengths()
        for number, port in enumerate(self.ports, 1):
            self._validate_port(number, port)
        for window in self.windows:
            check_window(window, len(self.ports), len(self.wavelengths), self.name)
        refuse_contradictions(self._terms(), len(self.ports), self.wavelengths, self.name)
        self.rule.validate()
        if self.ports:
            _ = self.modes

    def _validate_wavelengths(self) -> None:
        if not self.wavelengths or not self.windows or not self.ports:
            raise InvalidProblem(f"{self.name}: expected at least one wavelength, one port and one window")
        for wavelength in self.wavelengths:
            cells = wavelength / np.sqrt(self.solid) / self.grid.cell
            if not np.isfinite(cells) or cells < 4 or cells > 10_000:
                raise InvalidProblem(
                    f"{self.name}: a wavelength of {wavelength:g} m has {cells:.3g} cells of {self.grid.cell:g} m in the "
                    "solid; give lengths in one unit, and at least 4 cells to a wavelength"
                )

    def _validate_port(self, number: int, port: Port) -> None:
        name = f"{self.name}: {port.describe(number)}"
        if port.width < 2 or port.width % 2:
            raise InvalidProblem(f"{name} is {port.width} cells wide; expected an even number, so that it has a middle")
        if port.mode < 1 or port.monitor < 1:
            raise InvalidProblem(
                f"{name} has mode {port.mode} and its monitor {port.monitor} cells away; both are at least 1"
            )
        for offset in (0, port.monitor):
            for axis, part in enumerate(port.cells(offset)):
                inner = self.grid.absorbing, self.grid.shape[axis] - self.grid.absorbing
                if part.start < inner[0] or part.stop > inner[1]:
                    raise InvalidProblem(
                        f"{name}: cells {part.start} to {part.stop - 1} along {'xy'[axis]} reach into the absorbing border; "
                        f"the inside is from {inner[0]} to {inner[1] - 1}"
                    )
        x, y = port.cells(port.monitor)
        if x.start < self.box.x1 and x.stop > self.box.x0 and y.start < self.box.y1 and y.stop > self.box.y0:
            raise InvalidProblem(f"{name}: its monitor lies within the design; move it out")
        self._refuse_a_gap(name, port)

    def _refuse_a_gap(self, name: str, port: Port) -> None:
        """The waveguide of a port leads into the design."""
        image = self.background > (self.void + self.solid) / 2
        x, y = port.cells()
        if not image[x, y].any():
            raise InvalidProblem(f"{name} has no waveguide: all is void there")
        across = np.flatnonzero(image[x, y].reshape(-1))
        line = [slice(None), slice(None)]
        start = (y if port.axis == 0 else x).start
        line[1 - port.axis] = slice(start + int(across[0]), start + int(across[-1]) + 1)
        here = (port.x, port.y)[port.axis]
        low, high = (self.box.x0, self.box.x1) if port.axis == 0 else (self.box.y0, self.box.y1)
        line[port.axis] = slice(here, low) if port.sign > 0 else slice(high, here + 1)
        side = (self.box.y0, self.box.y1) if port.axis == 0 else (self.box.x0, self.box.x1)
        beside = line[1 - port.axis]
        if beside.stop <= side[0] or beside.start >= side[1] or not image[tuple(line)].any(axis=1 - port.axis).all():
            raise InvalidProblem(f"{name}: its waveguide does not reach the design, cells {tuple(self.box)}")

    @cached_property
    def modes(self) -> tuple[tuple[Mode, ...], ...]:
        """By wavelength and port.

        Raises
        ------
        InvalidProblem
            A port has no such mode, or one that has not died away at its ends.
        """
        found = []
        for wavelength in self.wavelengths:
            omega, row = angular_frequency(wavelength), []
            for number, port in enumerate(self.ports, 1):
                line = self.background[port.cells()].reshape(-1)
                mode = guided_mode(line, self.grid.cell, omega, port.mode)
                if mode is None:
                    raise InvalidProblem(
                        f"{self.name}: {port.describe(number)} guides no mode {port.mode} at {wavelength * 1e9:.6g} nm; "
                        "widen its waveguide, or ask for a lower mode"
                    )
                left = left_at_the_ends(mode)
                if left > DIED:
                    wanted = width_needed(line, self.grid.cell, omega, port.mode, DIED)
                    raise InvalidProblem(
                        f"{self.name}: {port.describe(number)}: mode {port.mode} still has {left:.2g} of its amplitude at "
                        f"the ends of the port, and may have {DIED:g}; widen the port from {port.width} to {wanted} cells, "
                        "with as much room beside the waveguide"
                    )
                row.append(mode)
            found.append(tuple(row))
        return tuple(found)

    def linear(self, number: int) -> Linear:
        """The equations at a wavelength; two readers a port, amplitudes into the device and out of it."""
        omega = angular_frequency(self.wavelengths[number])
        operator = Operator.of(self.grid, omega)
        size = self.background.size
        source = np.zeros(size, complex)
        entry = self.ports[0].flat(self.grid)
        source[entry] = operator.source[entry] * self.modes[number][0].field
        rows, columns, values = [], [], []
        for place, (port, mode) in enumerate(zip(self.ports, self.modes[number], strict=True)):
            cells, readers = amplitudes(port, mode, self.grid, omega)
            for which in range(2):
                rows.append(np.full(len(cells), 2 * place + which))
                columns.append(cells)
                values.append(readers[which])
        entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        return Linear(operator, source, sp.csr_matrix(entries, shape=(2 * len(self.ports), size)))

    @cached_property
    def condensed(self) -> Condensed:
        """What is prepared once for all designs."""
        equations = [self.linear(number) for number in range(len(self.wavelengths))]
        return Condensed(equations, self.background, self.box)

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value for name, value in self.__dict__.items() if name != "condensed"
        }  # prepared anew where it is read

    def permittivity(self, x: Float[np.ndarray, "*batch variables"]) -> Float[np.ndarray, "*batch x y"]:
        """Of designs, in their box."""
        return self.void + (self.solid - self.void) * x.reshape(*x.shape[:-1], *self.box.shape)

    def scattering(self, x: Float[np.ndarray, "*batch variables"]) -> Complex[np.ndarray, "*batch wavelengths ports"]:
        """S from the first port to each; every call solves anew.

        Raises
        ------
        SolverFailure
            A passive device would amplify: names port, wavelength and value.
        """
        rows = x.reshape(-1, self.variables)
        found = [
            self._refuse_gain(_ratios(self.condensed.answer(self.permittivity(rows[part])).amplitudes))
            for part in self._parts(len(rows))
        ]
        return np.concatenate(found).reshape(*x.shape[:-1], len(self.wavelengths), len(self.ports))

    def _parts(self, rows: int) -> list[slice]:
        """Rows that are solved at a time, such that what is kept of them stays small."""
        size = max(1, AT_A_TIME // (self.variables * len(self.wavelengths)))
        return [slice(start, start + size) for start in range(0, rows, size)]

    def directly(self, x: Float[np.ndarray, " variables"]) -> Complex[np.ndarray, "wavelengths ports"]:
        """The same by solving on the whole grid, with nothing prepared: what results are checked by."""
        whole = self.background.copy()
        whole[self.box.window] = self.permittivity(x)
        found = []
        for number in range(len(self.wavelengths)):
            operator, source, readers = self.linear(number)
            found.append(_ratios(readers @ factorised(operator.matrix(whole)).solve(source)))
        return self._refuse_gain(np.stack(found))

    def spectrum(self, x: Float[np.ndarray, " variables"], wavelengths: Sequence[float]) -> ScatteringTable:
        """S-parameters of a design at any wavelengths in m, on the whole grid.

        Raises
        ------
        InvalidProblem
            At one of them a port has no such mode, or one that has not died away at its ends.
        """
        other = replace(self, wavelengths=tuple(wavelengths))
        names = [parameter(port, 1) for port in range(1, len(self.ports) + 1)]
        return ScatteringTable.at_wavelengths(other.wavelengths, names, other.directly(x))

    @property
    def limits(self) -> list[Bound]:
        """The windows, each at every wavelength where it holds."""
        found = []
        for window, number in self._terms():
            frequency = float(wavelength_of(self.wavelengths[number]))
            found.append(Bound(parameter(window.port, 1), frequency, frequency, window.at_most, window.at_least))
        return found

    def field(self, x: Float[np.ndarray, " variables"], number: int = 0) -> Complex[np.ndarray, "x y"]:
        """The electric field of a design at a wavelength, for an incoming amplitude of 1."""
        answered = self.condensed.answer(self.permittivity(x[None]))
        return self.condensed.everywhere(answered, 0, number) / answered.amplitudes[0, number, 0]

    def _refuse_gain(
        self, s: Complex[np.ndarray, "*batch wavelengths ports"]
    ) -> Complex[np.ndarray, "*batch wavelengths ports"]:
        *_, wavelength, port = where = np.unravel_index(np.argmax(np.abs(s)), s.shape)
        if not np.isfinite(s).all() or np.abs(s[where]) > PASSIVE:
            raise SolverFailure(
                f"{self.name}: |S{port + 1}1| is {np.abs(s[where]):.4g} at {self.wavelengths[wavelength] * 1e9:.6g} nm, "
                "but the device amplifies nothing; widen the ports, or give more room between port, design and borders"
            )
        return s

    def _terms(self) -> list[Term]:
        return terms(self.windows, len(self.wavelengths))

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of every window at every wavelength: wavelength, port, sign and limit of |S|."""
        terms = self._terms()
        numbers = [(number, window.port - 1) for window, number in terms]
        wavelength, port = np.array(numbers, dtype=np.int64).T
        return wavelength, port, np.array([w.sign for w, _ in terms]), np.array([w.limit for w, _ in terms])

    @property
    def narrowest(self) -> float:
        """Of the intervals that windows allow |S|, or its square where ``loss`` is of the power."""
        power = 2 if self.loss == "power" else 1
        return min(w.limit**power if w.sign > 0 else 1 - w.limit**power for w in self.windows)

    def loss_of(
        self, s: Complex[np.ndarray, "wavelengths ports"]
    ) -> tuple[float, Float[np.ndarray, "wavelengths ports"]]:
        """The loss and its derivatives in |S|: squares of softplus of what windows are missed by, over the narrowest."""
        wavelength, port, sign, limit = self.bounds
        size = np.abs(s)
        power = 2 if self.loss == "power" else 1
        narrowest = self.narrowest
        missed = sign * (size[wavelength, port] ** power - limit**power) / narrowest
        soft = np.logaddexp(0, missed)
        slope = 2 * soft / (1 + np.exp(-missed)) * sign / narrowest
        if power == 2:
            slope = slope * 2 * size[wavelength, port]
        slopes = np.zeros(s.shape)
        np.add.at(slopes, (wavelength, port), slope)
        return float(soft @ soft), slopes

    def violations(self, s: Complex[np.ndarray, "wavelengths ports"]) -> Float[np.ndarray, " terms"]:
        """By how much |S| misses each window at each of its wavelengths, negative where it is met."""
        wavelength, port, sign, limit = self.bounds
        return sign * (np.abs(s)[wavelength, port] - limit)

    def worst(self, s: Complex[np.ndarray, "wavelengths ports"]) -> Worst:
        """The window that is missed most, each in its own width."""
        terms, missed = self._terms(), self.violations(s)
        place = int(np.argmax(missed / np.array([window.width for window, _ in terms])))
        window, number = terms[place]
        found = float(decibels(s[number, window.port - 1]))
        return Worst(window, self.wavelengths[number], found, float(missed[place]))

    def query(self, x: Float[np.ndarray, "batch variables"]) -> Queried:
        """The loss of designs with pixels between 0 and 1, and its gradient."""
        values, gradients = np.empty(len(x)), np.empty(x.shape)
        for part in self._parts(len(x)):
            answered = self.condensed.answer(self.permittivity(x[part]))
            s = self._refuse_gain(_ratios(answered.amplitudes))
            losses, slopes = zip(*map(self.loss_of, s), strict=True)
            values[part] = losses
            gradients[part] = self.pulled_back(answered, s, np.stack(slopes))
        return Queried(values, gradients)

    def values(self, x: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, " batch"]:
        """The loss alone."""
        return np.array([self.loss_of(s)[0] for s in self.scattering(x)])

    def pulled_back(
        self,
        answered: Answered,
        s: Complex[np.ndarray, "batch wavelengths ports"],
        slopes: Float[np.ndarray, "batch wavelengths ports"],
    ) -> Float[np.ndarray, "batch variables"]:
        """From derivatives in |S| to those in x."""
        by_s = slopes * s.conj() / np.maximum(np.abs(s), 1e-30)  # df = Re(by_s dS)
        incoming = answered.amplitudes[..., :1]
        by_amplitude = np.zeros(answered.amplitudes.shape, complex)
        by_amplitude[..., 1::2] = by_s / incoming
        by_amplitude[..., 0] = -(by_s * s).sum(axis=-1) / incoming[..., 0]
        return self.condensed.gradient(answered, by_amplitude) * (self.solid - self.void)

    def solved(self, x: Float[np.ndarray, " variables"], value: float | None = None) -> bool:
        """Whether a design meets every window at every wavelength; with its loss, mostly without solving again."""
        most = len(self._terms()) * np.log(2) ** 2  # of designs that meet all windows, each just so
        if value is not None and value > most:
            return False
        return bool((self.violations(self.scattering(x)) <= 0).all())

    def objective(self, assignment: Float[np.ndarray, " variables"]) -> float:
        """The loss, solved on the whole grid."""
        return self.loss_of(self.directly(np.asarray(assignment, float)))[0]

    def objective_of(self, x: Float[np.ndarray, " variables"], value: float) -> float:
        """The loss is what is searched."""
        return value

    def is_feasible(self, assignment: Float[np.ndarray, " variables"]) -> bool:
        """Whether every pixel is solid or void, as prescribed where it is, and the brush can paint them."""
        x = np.asarray(assignment)
        if x.shape != (self.variables,) or not np.isin(x, (0, 1)).all():
            return False
        return self.rule.is_kept(x.reshape(self.box.shape) == 1)

    def assignment(self, x: Float[np.ndarray, " variables"]) -> Float[np.ndarray, " variables"]:
        """A vertex is its own array."""
        return x


def _ratios(amplitudes: Complex[np.ndarray, "*batch readers"]) -> Complex[np.ndarray, "*batch ports"]:
    return amplitudes[..., 1::2] / amplitudes[..., :1]
