"""Which of a training's checkpoints would one keep without labels, and what would that cost?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import spearmanr

from tasks.panels import panels, png

SIGNALS = {
    "rank_me_h": lambda x: x,
    "rank_me_z": lambda x: x,
    "lidar_h": lambda x: x,
    "lidar_z": lambda x: x,
    "alpha_req": lambda x: -np.abs(x - 1),
    "training_loss": lambda x: -x,
}
"""Signals that need no labels, each as a score that is to be large."""
ACCURACY = "linear"
FEWEST = 3


def selection(columns: Mapping[str, np.ndarray]) -> dict[str, float]:
    """How well each signal orders the judged checkpoints of a training by their linear accuracy.

    ``spearman_<signal>`` is the rank correlation; ``lost_<signal>`` the points of accuracy that the checkpoint with the best
    signal is behind the best one. Nothing where fewer than three checkpoints were judged, or a signal is the same in all.

    Parameters
    ----------
    columns
        The curve of a training; rows without accuracy are left out.
    """
    accuracy = columns.get(ACCURACY, np.array([]))
    judged = np.isfinite(accuracy)
    found: dict[str, float] = {"judged_checkpoints": float(judged.sum())} if judged.any() else {}
    if judged.sum() < FEWEST:
        return found
    for name, score in SIGNALS.items():
        if name not in columns:
            continue
        scores = score(columns[name][judged])
        if np.isfinite(scores).all() and np.ptp(scores) > 0 and np.ptp(accuracy[judged]) > 0:
            found[f"spearman_{name}"] = float(spearmanr(scores, accuracy[judged]).statistic)
            found[f"lost_{name}"] = float(accuracy[judged].max() - accuracy[judged][scores.argmax()])
    return found


def selection_figure(columns: Mapping[str, np.ndarray]) -> bytes:
    """PNG: linear accuracy of the judged checkpoints over each signal, coloured by epoch."""
    judged = np.isfinite(columns[ACCURACY])
    shown = [name for name in SIGNALS if name in columns and np.isfinite(columns[name][judged]).any()]
    figure, axes = panels(len(shown))
    for axis, name in zip(axes, shown, strict=True):
        axis.scatter(columns[name][judged], columns[ACCURACY][judged], c=columns["epoch"][judged], cmap="viridis")
        axis.set_xlabel(name)
    axes[0].set_ylabel("linear accuracy (%)")
    return png(figure)
