"""Predicted costs of plans against real ones, as a figure."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from runs.figures import COLOURS, png, sheet


def order_figure(
    predicted: Float[np.ndarray, " plans"],
    processor: Float[np.ndarray, " plans"],
    wall: Float[np.ndarray, " plans"],
) -> bytes:
    """A point for each plan: processor time and time of the slowest process over the predicted cost, in ms."""
    figure = sheet(8, 3.6)
    panels = figure.subplots(1, 2)
    for panel, real, label in zip(panels, (processor, wall), ("processor time", "time"), strict=True):
        panel.scatter(predicted, real, color=COLOURS[0], s=24)
        panel.set(xlabel="predicted cost (ms)", ylabel=f"{label} of the slowest process (ms)")
    return png(figure)
