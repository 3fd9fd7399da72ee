"""The figures of Scan and Snap that training makes: attention over steps, and its entropy over learning rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from runs.figures import COLOURS, literal, png, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def attention_figure(steps: Sequence[int], c: Float[np.ndarray, "moments K own"], common: int, title: str) -> bytes:
    """Fig. 4: heat maps of c_n over steps, a panel per class; its common tokens first, then its distinct ones.

    Returns
    -------
    bytes
        A PNG.
    """
    figure = sheet(1.2 + 2.6 * c.shape[1], 3.6)
    panels = figure.subplots(1, c.shape[1], sharey=True, squeeze=False)[0]
    for n, axes in enumerate(panels):
        image = axes.imshow(c[:, n].T, aspect="auto", cmap="viridis", vmin=0, vmax=float(c.max()))
        axes.axhline(common - 0.5, color="white", linewidth=1)
        axes.set_xticks(range(len(steps)), [str(step) for step in steps])
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("step")
        axes.set_title(f"class {n}", fontsize="medium")
    panels[0].set_ylabel("token: common above the line,\ndistinct below, rarer first")
    figure.colorbar(image, ax=list(panels), label="attention $c_n$")
    figure.suptitle(literal(title))
    return png(figure)


def entropy_figure(
    eta_z: Sequence[float],
    ratio: Sequence[float],
    entropy: Float[np.ndarray, "eta_z ratio R"],
    published: Mapping[tuple[int, int], tuple[float, float | None]],
    title: str,
) -> bytes:
    """A panel of Fig. 6: entropy over eta_Z, a line per eta_Y / eta_Z, bars of one standard deviation over seeds.

    Parameters
    ----------
    published
        Mean and standard deviation of the cells (position of eta_Z, position of the ratio) that the paper has.

    Returns
    -------
    bytes
        A PNG.
    """
    figure = sheet(5.6, 4.2)
    axes = figure.subplots()
    spread = entropy.std(-1, ddof=1) if entropy.shape[-1] > 1 else np.zeros(entropy.shape[:-1])
    for j, value in enumerate(ratio):
        colour = COLOURS[j % len(COLOURS)]
        label = rf"$\eta_Y / \eta_Z$ = {value:g}"
        axes.errorbar(eta_z, entropy[:, j].mean(-1), spread[:, j], color=colour, capsize=3, label=label)
        _published_points(axes, eta_z, {i: cell for (i, of), cell in published.items() if of == j}, colour)
    if published:
        axes.plot([], [], "D", color="grey", markerfacecolor="none", label="published")
    axes.set_xlabel(r"$\eta_Z$")
    axes.set_ylabel("entropy over distinct tokens, nats")
    axes.set_title(literal(title))
    axes.legend(fontsize="small")
    return png(figure)


def _published_points(
    axes: Axes, eta_z: Sequence[float], cells: Mapping[int, tuple[float, float | None]], colour: str
) -> None:
    """A little to the right of ours, so that both can be seen."""
    nudge = 0.012 * (max(eta_z) - min(eta_z) or 1)
    for i, (mean, std) in cells.items():
        style: dict[str, Any] = {"fmt": "D", "color": colour, "markerfacecolor": "none", "capsize": 2, "alpha": 0.7}
        axes.errorbar([eta_z[i] + nudge], [mean], None if std is None else [std], **style)
