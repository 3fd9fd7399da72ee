"""What each port of a device must let out: windows in dB, and what of them cannot be (docs/papers/surco.md#2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from data.frequency.decibels import amplitude, decibels
from data.frequency.scattering import parameter
from runs.errors import InvalidProblem

Loss = Literal["amplitude", "power"]
LOSSES = ("amplitude", "power")
NARROWEST = 1e-6
"""Of the intervals that a window may leave to |S|: -120 dB."""


@dataclass(frozen=True)
class Window:
    """What a port must let out, of what enters the first.

    Parameters
    ----------
    port
        Number of the port, from 1.
    at_most, at_least
        dB of the power, one of them.
    wavelengths
        Numbers of the wavelengths at which it holds; None for all.
    """

    port: int
    at_most: float | None = None
    at_least: float | None = None
    wavelengths: tuple[int, ...] | None = None

    @property
    def bound(self) -> float:
        """dB."""
        bound = self.at_most if self.at_least is None else self.at_least
        assert bound is not None
        return bound

    @property
    def limit(self) -> float:
        """|S| at the bound."""
        return amplitude(self.bound)

    @property
    def sign(self) -> int:
        """1 where |S| shall not be above the limit, -1 where not below."""
        return 1 if self.at_least is None else -1

    @property
    def width(self) -> float:
        """Of the allowed values of |S|."""
        return self.limit if self.sign > 0 else 1 - self.limit

    def describe(self) -> str:
        """For messages and tables."""
        bound = f"at most {self.at_most:g}" if self.sign > 0 else f"at least {self.at_least:g}"
        return f"{parameter(self.port, 1)} {bound} dB"


class Worst(NamedTuple):
    """The window that a design misses most, or meets most narrowly.

    Attributes
    ----------
    window, wavelength
        Which, and where in m.
    decibels
        What is there.
    violation
        Of |S|, negative where the window is met.
    """

    window: Window
    wavelength: float
    decibels: float
    violation: float


Term = tuple[Window, int]
"""A window, and the number of a wavelength at which it holds."""


def terms(windows: Sequence[Window], wavelengths: int) -> list[Term]:
    """Every window at every wavelength at which it holds, of so many."""
    every = range(wavelengths)
    return [(window, number) for window in windows for number in (window.wavelengths or every)]


def check_window(window: Window, ports: int, wavelengths: int, device: str) -> None:
    """Refuse a window of another port or wavelength, without a bound, or with one that nothing can meet.

    Raises
    ------
    InvalidProblem
        Names device and window.
    """
    name = f"{device}: window S{window.port}1"
    if not 1 <= window.port <= ports:
        raise InvalidProblem(f"{name}: there are ports 1 to {ports}")
    if (window.at_most is None) == (window.at_least is None):
        raise InvalidProblem(f"{name}: give at_most or at_least, in dB, and not both")
    if not window.bound < 0:
        raise InvalidProblem(f"{name}: a bound is in dB of what enters, and below 0; got {window.describe()}")
    if window.width < NARROWEST:
        raise InvalidProblem(
            f"{name}: {window.describe()} leaves |S| an interval of {window.width:.2g}, less than can be told apart; "
            f"expected at least {NARROWEST:g}"
        )
    if window.wavelengths is not None and not all(0 <= each < wavelengths for each in window.wavelengths):
        raise InvalidProblem(f"{name}: wavelengths {window.wavelengths}; there are {wavelengths}, from 0")


def refuse_contradictions(held: Sequence[Term], ports: int, wavelengths: Sequence[float], device: str) -> None:
    """Refuse windows that no device meets together.

    Raises
    ------
    InvalidProblem
        Names device, wavelength and port.
    """
    for number, wavelength in enumerate(wavelengths):
        least, most = np.zeros(ports), np.ones(ports)
        for window, where in held:
            if where == number:
                bounds, keep = (least, max) if window.sign < 0 else (most, min)
                bounds[window.port - 1] = keep(bounds[window.port - 1], window.limit)
        name = f"{device}: at {wavelength * 1e9:.6g} nm"
        for port in np.flatnonzero(least > most):
            raise InvalidProblem(
                f"{name} {parameter(int(port) + 1, 1)} is to be at least {decibels(least[port]):.4g} and at most "
                f"{decibels(most[port]):.4g} dB; drop one of these windows"
            )
        if (least**2).sum() > 1:
            raise InvalidProblem(
                f"{name} windows ask for {(least**2).sum():.3g} times the power that enters; lower some bounds at_least"
            )
