"""The picture of S-parameters shows every curve, and its axis in a unit that suits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from data.frequency.scattering import Bound, ScatteringTable
from tasks.frequency import scattering_figure as drawing


@pytest.mark.parametrize(
    ("axis", "frequencies", "label"),
    [
        ("frequency", [1e9, 2e9], "frequency (GHz)"),
        ("frequency", [2.3e14, 2.4e14], "frequency (THz)"),
        ("wavelength", [2.3e14, 2.4e14], "wavelength (nm)"),
        ("wavelength", [1e9, 2e9], "wavelength (mm)"),
        ("frequency", [1.0, 2.0], "frequency (Hz)"),
    ],
)
def test_curves_bounds_and_units(
    axis: drawing.Axis, frequencies: list[float], label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(drawing, "png", drawn.append)
    table = ScatteringTable(np.array(frequencies), ("S11", "S21"), np.array([[0.1, 0.5], [0.0, 1.0]]))
    bound = Bound("S11", min(frequencies), max(frequencies), at_most=-15.0)
    drawing.scattering_figure({"a": table, "b $": table}, [bound], axis)
    (axes,) = drawn[0].axes
    assert axes.get_xlabel() == label
    assert [line.get_label() for line in axes.lines[:4]] == ["S11, a", "S21, a", r"S11, b \$", r"S21, b \$"]
    assert axes.lines[0].get_ydata().min() == drawing.LOWEST
    assert list(axes.lines[4].get_ydata()) == [-15.0, -15.0]
    assert sorted(axes.lines[4].get_xdata()) == sorted(axes.lines[0].get_xdata())


def test_the_picture_is_a_png() -> None:
    table = ScatteringTable(np.array([1e9]), ("S11",), np.array([[0.1]]))
    assert drawing.scattering_figure({"one": table}).startswith(b"\x89PNG")
