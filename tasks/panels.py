"""The sheet that figures of several panels are drawn on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs import figures
from runs.figures import COLOURS, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, *_, GREY = COLOURS


def panels(columns: int, rows: int = 1, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """Axes with a light grid, row by row; ``height`` is that of a row."""
    figure = sheet(4.8 * columns, height * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axis in axes:
        axis.grid(alpha=0.3)
    return figure, axes


def png(figure: Figure) -> bytes:
    """The figure's bytes, with small titles and legends."""
    for axis in figure.axes:
        axis.title.set_fontsize(9)
        if legend := axis.get_legend():
            for text in legend.get_texts():
                text.set_fontsize(7)
    return figures.png(figure)
