"""What every figure is drawn on and with, and its bytes; without pyplot, so that nothing global is touched."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from runs.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#888888")
"""Told apart with any kind of colour vision (Okabe and Ito), legible on white and on near-black."""


def sheet(width: float, height: float, dpi: float = 120) -> Figure:
    """An empty figure of so many inches, which keeps its panels and their labels apart."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=dpi, layout="constrained")


def literal(text: object) -> str:
    """A stranger's text as a label that shows it letter by letter: no formula begins at its dollar signs."""
    return printable(str(text)).replace("$", r"\$")


def png(figure: Figure) -> bytes:
    """Its bytes, the same whenever the same is drawn; a label that is no formula of matplotlib's is drawn as it stands."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    _make_drawable(figure)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # Figure.savefig would draw twice
    return buffer.getvalue()


def _make_drawable(figure: Figure) -> None:
    from matplotlib.text import Text

    for label in figure.findobj(Text):
        assert isinstance(label, Text)
        text = label.get_text()
        if (shown := printable(text)) != text:
            label.set_text(shown)
        if "$" in shown and not _is_formula(shown):
            label.set_parse_math(False)


def _is_formula(text: str) -> bool:
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("agg").parse(text)
    except Exception:  # of its grammar, whatever it is
        return False
    return True
