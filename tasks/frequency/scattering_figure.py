"""S-parameters over frequency or wavelength, with what they must keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from data.frequency.grid import wavelength_of
from data.frequency.scattering import Bound, ScatteringTable
from runs.figures import COLOURS, literal, png, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Axis = Literal["frequency", "wavelength"]
UNITS = {
    "frequency": ((1e12, "THz"), (1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz")),
    "wavelength": ((1.0, "m"), (1e-3, "mm")),
}
SMALL_UNITS = {"frequency": (1.0, "Hz"), "wavelength": (1e-9, "nm")}
LOWEST = -60.0
"""dB: curves below it are cut off."""
STYLES = ("solid", "dashed", "dotted", "dashdot")


def scattering_figure(
    tables: Mapping[str, ScatteringTable], bounds: Sequence[Bound] = (), axis: Axis = "frequency"
) -> bytes:
    """A PNG: dB of every parameter in a colour, of every table in a line style; triangles point into what is allowed.

    Parameters
    ----------
    tables
        By what the legend calls them, all with the same parameters.
    bounds
        Of parameters of the tables; a line where one holds between two frequencies, a triangle where at one.
    axis
        What lies along x.
    """
    figure = sheet(6.4, 3.8)
    axes = figure.subplots()
    first = next(iter(tables.values()))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(first.names)}
    scale, unit = _unit(np.concatenate([_along(table.frequencies, axis) for table in tables.values()]), axis)
    for place, (label, table) in enumerate(tables.items()):
        for name in table.names:
            axes.plot(
                _along(table.frequencies, axis) / scale,
                np.maximum(table.decibels(name), LOWEST),
                color=colours[name],
                linestyle=STYLES[place % len(STYLES)],
                linewidth=1.3,
                marker="." if len(table.frequencies) < 4 else "",
                label=literal(f"{name}, {label}" if len(tables) > 1 else name),
            )
    for bound in bounds:
        _draw(
            axes, bound, _along(np.array([bound.low, bound.high]), axis) / scale, colours.get(bound.parameter, "black")
        )
    axes.set_xlabel(f"{axis} ({unit})")
    axes.set_ylabel("dB")
    axes.grid(linewidth=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False)
    return png(figure)


def _along(frequencies: np.ndarray, axis: Axis) -> np.ndarray:
    return frequencies if axis == "frequency" else np.asarray(wavelength_of(frequencies))


def _unit(values: np.ndarray, axis: Axis) -> tuple[float, str]:
    """The largest unit in which the largest value is at least 1."""
    return next((each for each in UNITS[axis] if values.max() >= each[0]), SMALL_UNITS[axis])


def _draw(axes: Axes, bound: Bound, ends: np.ndarray, colour: str) -> None:
    marker = "v" if bound.at_least is None else "^"
    axes.plot(ends, [bound.limit] * 2, color=colour, linewidth=2.5, alpha=0.6, solid_capstyle="butt")
    axes.plot([ends.mean()], [bound.limit], color=colour, marker=marker, markersize=7, linestyle="none")
