"""Images side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def mosaic(rows: int, columns: int, side: float = 0.95) -> tuple[Figure, np.ndarray]:
    """A figure of square panels without ticks, and its axes (rows, columns)."""
    from matplotlib.figure import Figure

    width, height = side * columns + 0.1, (side + 0.15) * rows + 0.1
    figure = Figure(figsize=(width, height), dpi=120)  # laying out a hundred panels takes seconds, placing them none
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"wspace": 0.08, "hspace": 0.2})
    figure.subplots_adjust(0.05 / width, 0.05 / height, 1 - 0.05 / width, 1 - 0.2 / height)
    for axes in grid.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
    return figure, grid


def show(axes: Axes, image: Float[Tensor, "channels height width"], title: str = "", frame: str | None = None) -> None:
    """Draw an image with colours on [0, 1], clamped to it; one channel is grey."""
    pixels = image.detach().float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    grey = pixels.shape[2] == 1
    axes.imshow(
        pixels[:, :, 0] if grey else pixels, cmap="gray" if grey else None, vmin=0, vmax=1, interpolation="nearest"
    )
    if title:
        axes.set_title(title, fontsize=7, pad=2)
    for spine in axes.spines.values():
        spine.set_visible(frame is not None)
        if frame is not None:
            spine.set_color(frame)
            spine.set_linewidth(2)
