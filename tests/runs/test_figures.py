"""No text that somebody else wrote keeps a figure from being drawn, or is taken for a formula."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from runs.figures import literal, png, sheet
from runs.text import printable

FOREIGN = (
    "price$1^$",
    r"$\frac{1$",
    "$x_1$",
    r"a\$b$c$",
    "$$",
    r"\def\a{$}",
    "caf\udce9",
    "\x1b[31mred",
    "猫" * 78,
    "%&#{}~\\",
)


def drawn(text: str) -> np.ndarray:
    figure = sheet(3, 2)
    axes = figure.subplots()
    axes.plot([0, 1], label=text)
    axes.set_title(text)
    axes.set_yticks([0, 1], [printable(text)] * 2)
    axes.legend()
    figure.suptitle(text)
    with Image.open(io.BytesIO(png(figure))) as image:
        return np.asarray(image)


@pytest.mark.parametrize("text", FOREIGN)
@pytest.mark.filterwarnings("error:Glyph")
@pytest.mark.filterwarnings("ignore:constrained_layout not applied")
def test_any_text_is_drawn_as_a_label_whether_marked_as_foreign_or_not(text: str) -> None:
    for label in (literal(text), text):
        assert drawn(label).shape[2] == 4


def test_a_foreign_dollar_begins_no_formula_and_our_own_do() -> None:
    assert not np.array_equal(drawn(literal("$x^2$")), drawn("$x^2$"))
    assert np.array_equal(drawn(literal("$1^$")), drawn("$1^$"))
