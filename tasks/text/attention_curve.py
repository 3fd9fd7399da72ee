"""How attention and loss go over training: the curve, what is read off it, and its figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Shaped

from runs.figures import png, sheet

Curve = Mapping[int, Mapping[str, float]]
"""By step: ``evaluation_loss`` and ``entropy_layer_1``, ``entropy_layer_2``, ..."""


def columns(curve: Curve) -> dict[str, Shaped[np.ndarray, " points"]]:
    """The curve as columns, in order of step."""
    steps = sorted(curve)
    return {"step": np.array(steps), **{key: np.array([curve[s][key] for s in steps]) for key in curve[steps[0]]}}


def mean_entropy(row: Mapping[str, float]) -> float:
    """Mean of the layers' entropies."""
    return float(np.mean([value for key, value in row.items() if key.startswith("entropy_layer_")]))


def fall_and_stay(curve: Curve) -> dict[str, float]:
    """What the claim "entropy falls and then stays" is judged by; entropies are means over the layers.

    ``entropy_start``, ``entropy_middle`` (the last evaluation of the first half of training) and ``entropy_end``;
    ``entropy_fall`` is start - middle, ``late_change`` is abs(end - middle) / abs(fall), infinite without a fall.
    """
    steps = sorted(curve)
    middle = max(step for step in steps if step <= (steps[0] + steps[-1]) / 2)
    start, half, end = (mean_entropy(curve[step]) for step in (steps[0], middle, steps[-1]))
    fall = start - half
    return {
        "entropy_start": start,
        "entropy_middle": half,
        "entropy_end": end,
        "entropy_fall": fall,
        "late_change": abs(end - half) / abs(fall) if fall else float("inf"),
    }


def curve_figure(curve: Curve) -> bytes:
    """PNG of the normalised attention entropy of each layer, and of the evaluation loss, over steps."""
    table = columns(curve)
    figure = sheet(9, 3.4)
    left, right = figure.subplots(1, 2)
    for name, values in table.items():
        if name.startswith("entropy_layer_"):
            left.plot(table["step"], values, label=f"layer {name.rsplit('_', 1)[-1]}")
    left.set_ylim(0, 1)
    left.set_ylabel("attention entropy / ln(keys)")
    left.legend(fontsize="small")
    right.plot(table["step"], table["evaluation_loss"], color="black")
    right.set_ylabel("evaluation loss (nats per word)")
    for axes in (left, right):
        axes.set_xlabel("step")
    return png(figure)
