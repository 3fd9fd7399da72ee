"""The sheet that figures of several panels are drawn on."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#888888"


def panels(columns: int, rows: int = 1, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """Axes with a light grid, row by row; ``height`` is that of a row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8 * columns, height * rows), layout="constrained")
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
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()
