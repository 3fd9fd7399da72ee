"""Devices so small that a test can solve them many times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data.photonics.devices import LEFT, RIGHT, Guide, Layout, device
from data.photonics.problem import PhotonicProblem
from data.photonics.windows import Window

LAYOUT = Layout(absorbing=10, length=6, mode_padding=8, padding=4)


def crossing(design: tuple[int, int] = (8, 12), monitor: int = 2, **changed: object) -> PhotonicProblem:
    """A waveguide from left to right with a design in between."""
    guides = [Guide(LEFT, design[1] // 2, 10), Guide(RIGHT, design[1] // 2, 10)]
    windows = [Window(1, at_most=-20.0), Window(2, at_least=-0.5)]
    found = device("crossing", design, guides, windows, LAYOUT, monitor, beside=8)
    return replace(found, **changed) if changed else found  # type: ignore[arg-type]


def straight(problem: PhotonicProblem) -> np.ndarray:
    """The design that leads the waveguide on."""
    solid = np.zeros(problem.box.shape)
    middle = problem.box.shape[1] // 2
    solid[:, middle - 5 : middle + 5] = 1
    return solid.reshape(-1)
