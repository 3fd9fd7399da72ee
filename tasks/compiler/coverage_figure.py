"""How much the first sequences of a coreset save (docs/papers/pass_order.md#3.1)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from runs.figures import COLOURS, png, sheet


def coverage_figure(coverage: Float[np.ndarray, " sequences+1"], most: float) -> bytes:
    """A PNG: the mean of the best reward, in %, of the first 0, 1, ... sequences, and of each program's own candidate."""
    figure = sheet(6, 3.6)
    axes = figure.subplots()
    axes.plot(range(1, len(coverage)), 100 * coverage[1:], marker="o", color=COLOURS[0], label="coreset")
    axes.axhline(100 * most, color="#888888", linestyle="--", label="best of all candidates")
    axes.set_xlabel("sequences")
    axes.set_ylabel("saved (%)")
    axes.legend(fontsize=8, frameon=False)
    return png(figure)
