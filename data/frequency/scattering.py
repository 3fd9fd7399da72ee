"""S-parameters of a device over frequencies, and bounds on them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from data.frequency.decibels import decibels
from data.frequency.grid import checked, wavelength_of
from runs.errors import ConfigError


def parameter(out: int, into: int) -> str:
    """The name of what leaves by port ``out`` of what enters by port ``into``, both from 1: ``S21``, or ``S12,1``."""
    return f"S{out}{',' if max(out, into) > 9 else ''}{into}"


@dataclass(frozen=True)
class Bound:
    """What an S-parameter must keep.

    Parameters
    ----------
    parameter
        Its name.
    low, high
        Hz between which it holds; both the same where it holds at one frequency.
    at_most, at_least
        dB, one of them.
    """

    parameter: str
    low: float
    high: float
    at_most: float | None = None
    at_least: float | None = None

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.at_least is None):
            raise ConfigError(f"a bound of {self.parameter} has at_most or at_least, in dB, and not both")
        if not 0 < self.low <= self.high:
            raise ConfigError(
                f"a bound of {self.parameter} is from {self.low:g} to {self.high:g} Hz; expected an interval"
            )

    @property
    def limit(self) -> float:
        """dB."""
        limit = self.at_least if self.at_most is None else self.at_most
        assert limit is not None
        return limit


@dataclass(frozen=True, eq=False)
class ScatteringTable:
    """Complex S-parameters at rising frequencies.

    Parameters
    ----------
    frequencies
        Hz.
    names
        Of the parameters, such as ``S11``.
    values
        (frequencies, names).

    Raises
    ------
    ConfigError
        The arrays do not belong together, a name is twice there, or a value is not finite.
    """

    frequencies: Float[np.ndarray, " points"]
    names: tuple[str, ...]
    values: Complex[np.ndarray, "points names"]

    def __post_init__(self) -> None:
        points = checked(self.frequencies)
        if self.values.shape != (len(points), len(self.names)) or len(set(self.names)) < len(self.names):
            raise ConfigError(
                f"S-parameters have shape {self.values.shape}; expected {len(points)} frequencies and one column for each "
                f"of {', '.join(self.names)}"
            )
        if not np.isfinite(self.values).all():
            point, name = np.argwhere(~np.isfinite(self.values))[0].tolist()
            raise ConfigError(f"{self.names[name]} is not finite at {points[point]:g} Hz")

    @classmethod
    def at_wavelengths(
        cls, wavelengths: Sequence[float], names: Sequence[str], values: Complex[np.ndarray, "points names"]
    ) -> ScatteringTable:
        """From wavelengths in m, in any order."""
        frequencies = np.asarray(wavelength_of(np.asarray(wavelengths, float)))
        order = np.argsort(frequencies)
        return cls(frequencies[order], tuple(names), np.asarray(values)[order])

    def decibels(self, name: str) -> Float[np.ndarray, " points"]:
        """dB of one parameter.

        Raises
        ------
        ConfigError
            There is no such parameter.
        """
        if name not in self.names:
            raise ConfigError(f"there is no {name}; there are {', '.join(self.names)}")
        return decibels(self.values[:, self.names.index(name)])

    def excess(self, bound: Bound) -> float:
        """dB by which a bound is missed at the frequencies within it, negative where it is kept everywhere.

        Raises
        ------
        ConfigError
            There is no such parameter, or no frequency within the bound.
        """
        within = (self.frequencies >= bound.low * (1 - 1e-9)) & (self.frequencies <= bound.high * (1 + 1e-9))
        if not within.any():
            raise ConfigError(
                f"no frequency lies between {bound.low:g} and {bound.high:g} Hz, where {bound.parameter} is bound"
            )
        found = self.decibels(bound.parameter)[within]
        return float((found - bound.limit).max() if bound.at_least is None else (bound.limit - found).max())

    def csv(self) -> str:
        """A line per frequency: Hz, nm in vacuum, and of every parameter dB, real and imaginary part."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(
            [
                "frequency_hz",
                "wavelength_nm",
                *(f"{name}_{part}" for name in self.names for part in ("db", "real", "imag")),
            ]
        )
        for frequency, row in zip(self.frequencies.tolist(), self.values, strict=True):
            parts = zip(decibels(row).tolist(), row.real.tolist(), row.imag.tolist(), strict=True)
            numbers = [number for each in parts for number in each]
            writer.writerow(
                [repr(frequency), f"{wavelength_of(frequency) * 1e9:.9g}", *(f"{each:.9g}" for each in numbers)]
            )
        return text.getvalue()
