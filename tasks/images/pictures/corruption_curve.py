"""Accuracy over the severity of corruptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from data.images.corruptions import SEVERITIES, STRENGTHS
from runs.figures import COLOURS, png, sheet
from tasks.images.pictures.picture import Picture
from tasks.images.protocols.features import FeatureParts


def corruption_figure(curves: Mapping[str, Sequence[float]], clean: float) -> bytes:
    """PNG with a line per corruption, from the clean accuracy at severity 0.

    Parameters
    ----------
    curves
        Accuracies in percent at severities 1, 2, ... by corruption.
    clean
        Accuracy on the images as they are.
    """
    figure = sheet(4.8, 3.4)
    axes = figure.subplots()
    for (name, accuracies), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(range(len(accuracies) + 1), [clean, *accuracies], marker="o", markersize=3, label=name, color=colour)
    axes.set_xlabel("severity")
    axes.set_ylabel("accuracy, percent")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return png(figure)


@final
@dataclass(frozen=True)
class CorruptionCurve(Picture):
    """What the protocol Corruption measured.

    Parameters
    ----------
    metric
        Of the protocol that was corrupted.
    """

    metric: str = "knn"

    def draw(self, parts: FeatureParts, metrics: Mapping[str, float]) -> bytes | None:
        """PNG; None where corruptions of all severities, or the clean accuracy, were not measured."""
        curves = {
            kind: [metrics.get(f"{self.metric}_{kind}_{level}") for level in range(1, SEVERITIES + 1)]
            for kind in STRENGTHS
        }
        whole = {kind: [v for v in values if v is not None] for kind, values in curves.items() if None not in values}
        if not whole or self.metric not in metrics:
            return None
        return corruption_figure(whole, metrics[self.metric])
