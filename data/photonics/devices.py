"""Four families of devices on silicon, of which each instance has other waveguides (docs/papers/surco.md#2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from data.photonics.brush import brush_of
from data.photonics.condensed import Box
from data.photonics.operator import Grid
from data.photonics.ports import Port
from data.photonics.problem import PhotonicProblem
from data.photonics.windows import Loss, Window
from runs.errors import ConfigError

FAMILIES = ("bend", "converter", "splitter", "wdm")
LEFT, RIGHT, BELOW = "x+", "x-", "y+"
DESIGNS = {"bend": (40, 40), "converter": (40, 40), "splitter": (80, 60), "wdm": (80, 80)}
"""Cells of the published designs, along x and y."""


@dataclass(frozen=True)
class Layout:
    """Lengths and materials that all families share; lengths in cells.

    Parameters
    ----------
    cell
        m.
    absorbing
        Of each border.
    waveguide
        Width of a waveguide.
    length
        Of a waveguide, from the absorbing border to the design.
    mode_padding
        From a waveguide to the end of its port.
    padding
        From the design to a border without ports.
    port
        From the absorbing border to a port.
    void, solid
        Relative permittivities.
    wavelengths
        m.
    """

    cell: float = 40e-9
    absorbing: int = 20
    waveguide: int = 10
    length: int = 18
    mode_padding: int = 13
    padding: int = 10
    port: int = 1
    void: float = 2.25
    solid: float = 12.25
    wavelengths: tuple[float, ...] = (1270e-9, 1290e-9)


class Guide(NamedTuple):
    """A straight waveguide with its port, on one side of the design.

    Attributes
    ----------
    direction
        Of the port: ``x+`` on the left, ``x-`` on the right, ``y+`` below.
    middle
        Cell across, from the first of the design.
    width
        Cells, even.
    mode
        Of the port.
    """

    direction: str
    middle: int
    width: int
    mode: int = 1


def device(
    name: str,
    design: tuple[int, int],
    guides: Sequence[Guide],
    windows: Sequence[Window],
    layout: Layout,
    monitor: int = 1,
    beside: int | None = None,
    loss: Loss = "amplitude",
) -> PhotonicProblem:
    """A device with a rectangular design in the middle.

    Parameters
    ----------
    design
        Cells along x and y.
    monitor
        Cells from a port to where it is read.
    beside
        Cells from the design to borders along which waveguides run; by default ``layout.padding``.
    """
    sides = {guide.direction for guide in guides}
    room = layout.length + layout.absorbing
    empty = layout.padding + layout.absorbing
    along = (layout.padding if beside is None else beside) + layout.absorbing
    x0 = room if LEFT in sides else empty
    x1 = x0 + design[0]
    y0 = room if BELOW in sides else along
    y1 = y0 + design[1]
    grid = Grid((x1 + (room if RIGHT in sides else empty), y1 + along), layout.cell, layout.absorbing)
    background = np.full(grid.shape, layout.void)
    ports = []
    for guide in guides:
        ports.append(_port(guide, grid, Box(x0, y0, x1, y1), layout, monitor))
        _draw(background, guide, Box(x0, y0, x1, y1), layout.solid)
    return PhotonicProblem(
        name, grid, background, Box(x0, y0, x1, y1), layout.void, layout.solid, tuple(ports), layout.wavelengths,
        tuple(windows), brush_of("cross"), None, loss,
    )  # fmt: skip


def _port(guide: Guide, grid: Grid, box: Box, layout: Layout, monitor: int) -> Port:
    depth = layout.absorbing + layout.port
    width = guide.width + 2 * layout.mode_padding
    if guide.direction == BELOW:
        return Port(box.x0 + guide.middle, depth, width, BELOW, guide.mode, monitor)
    x = depth if guide.direction == LEFT else grid.shape[0] - depth
    return Port(x, box.y0 + guide.middle, width, guide.direction, guide.mode, monitor)


def _draw(background: Float[np.ndarray, "x y"], guide: Guide, box: Box, solid: float) -> None:
    half = guide.width // 2
    if guide.direction == BELOW:
        middle = box.x0 + guide.middle
        background[middle - half : middle + half, : box.y0] = solid
        return
    middle = box.y0 + guide.middle
    along = slice(0, box.x0) if guide.direction == LEFT else slice(box.x1, None)
    background[along, middle - half : middle + half] = solid


ALL_INTO_THE_SECOND = (Window(1, at_most=-20.0), Window(2, at_least=-0.5))


def family(
    kind: str,
    rng: np.random.Generator | None = None,
    name: str | None = None,
    layout: Layout | None = None,
    design: tuple[int, int] | None = None,
    loss: Loss = "amplitude",
) -> PhotonicProblem:
    """An instance of a family; without ``rng`` the published one.

    Parameters
    ----------
    kind
        ``bend``, ``converter`` (from mode 1 to mode 2), ``splitter`` (into two equal halves) or ``wdm`` (each of two
        wavelengths into a port of its own).
    design
        Cells of the design; by default as published.

    Raises
    ------
    ConfigError
        There is no such family.
    """
    if kind not in FAMILIES:
        raise ConfigError(f"data.family is '{kind}'; choose {', '.join(FAMILIES)}")
    layout = layout or Layout()
    width, height = design or DESIGNS[kind]
    name = name or kind

    def drawn(usual: int, low: int, high: int, step: int = 1) -> int:
        """A number of cells: as published, or any of the steps between low and high."""
        return usual if rng is None else int(rng.choice(np.arange(low, high + 1, step)))

    if kind == "bend":
        guide = drawn(layout.waveguide, 8, 12, 2)
        layout = replace(layout, length=drawn(layout.length, 16, 20))
        guides = [Guide(LEFT, height // 2, guide), Guide(BELOW, width // 2, guide)]
        return device(name, (width, height), guides, ALL_INTO_THE_SECOND, layout, loss=loss)
    if kind == "converter":
        guides = [
            Guide(LEFT, height // 2, drawn(layout.waveguide, 8, 14, 2)),
            Guide(RIGHT, height // 2, drawn(layout.waveguide, 8, 14, 2), mode=2),
        ]
        return device(name, (width, height), guides, ALL_INTO_THE_SECOND, layout, loss=loss)
    if kind == "splitter":
        guide = drawn(layout.waveguide, 8, 12, 2)
        layout = replace(layout, length=drawn(layout.length, 16, 20))
        apart = (drawn(28, 24, 32, 2) + guide) // 2
        upper, lower = height // 2 + apart, height // 2 - apart
        corners = ((LEFT, upper), (RIGHT, upper), (RIGHT, lower), (LEFT, lower))
        guides = [Guide(side, middle, guide) for side, middle in corners]
        windows = [Window(port, at_most=-20.0) for port in (1, 4)] + [Window(port, at_least=-3.5) for port in (2, 3)]
        return device(name, (width, height), guides, windows, layout, beside=layout.mode_padding, loss=loss)
    guide = layout.waveguide
    lower, upper = (height // 2 + side * (25 + drawn(0, -10, 7)) for side in (-1, 1))
    guides = [
        Guide(LEFT, height // 2 + drawn(0, -10, 10), guide),
        Guide(RIGHT, lower, guide),
        Guide(RIGHT, upper, guide),
    ]
    windows = [
        Window(1, at_most=-20.0),
        Window(2, at_least=-3.0, wavelengths=(0,)),
        Window(3, at_most=-20.0, wavelengths=(0,)),
        Window(3, at_least=-3.0, wavelengths=(1,)),
        Window(2, at_most=-20.0, wavelengths=(1,)),
    ]
    return device(name, (width, height), guides, windows, layout, monitor=5, loss=loss)
