"""What every figure is drawn on and with, and its bytes; without pyplot, so that nothing global is touched."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#888888")
"""Told apart with any kind of colour vision (Okabe and Ito), legible on white and on near-black."""


def sheet(width: float, height: float, dpi: float = 120) -> Figure:
    """An empty figure of so many inches, which keeps its panels and their labels apart."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=dpi, layout="constrained")


def png(figure: Figure) -> bytes:
    """Its bytes, the same whenever the same is drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # Figure.savefig would draw twice
    return buffer.getvalue()
