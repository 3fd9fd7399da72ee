"""Do signals without labels order checkpoints within a recipe, and across recipes? (docs/papers/ssl.md#5.3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from data.checkpoints.judged import Curve, JudgedCheckpoints
from runs.errors import InvalidProblem
from runs.figures import literal
from runs.names import safe_name
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from tasks.images.label_free_selection import ACCURACY, SIGNALS, selection
from tasks.panels import panels, png
from tasks.problems import ProblemTask


class CheckpointRanking(ProblemTask):
    """Rank correlation of each signal with linear accuracy, and the accuracy lost by its pick, on both levels.

    ``spearman_<signal>_within`` and ``lost_<signal>_within`` are means over the recipes, ``..._across`` are of the
    checkpoints of all recipes together, and ``gain_<signal>_within`` is the correlation within less that across.
    """

    def result(self, index: int, name: str, problem: JudgedCheckpoints) -> InstanceResult:
        """Both levels for the trainings of one seed."""
        if len(problem.curves) < 2:
            raise InvalidProblem(
                f"{name} has runs of {', '.join(problem.curves)} only; give a sweep over several recipes"
            )
        metrics = levels(problem.curves)
        draw(self.folder, safe_name(problem.name), lambda: ranking_figure(problem.curves))
        return InstanceResult(index, name, metrics, seed=problem.seed)


def levels(curves: Mapping[str, Curve]) -> dict[str, float]:
    """All metrics; those of a signal that a recipe lacks, or that never changes, are left out."""
    within = [selection(curve) for curve in curves.values()]
    shared = set.intersection(*(set(curve) for curve in curves.values()))
    across = selection({key: np.concatenate([curve[key] for curve in curves.values()]) for key in shared})
    found = {"recipes": float(len(curves)), "judged_checkpoints": across.pop("judged_checkpoints", 0.0)}
    for key, value in across.items():
        found[f"{key}_across"] = value
        if all(key in of_recipe for of_recipe in within):
            found[f"{key}_within"] = float(np.mean([of_recipe[key] for of_recipe in within]))
            if key.startswith("spearman_"):
                found[f"gain_{key.removeprefix('spearman_')}_within"] = found[f"{key}_within"] - value
    return found


def ranking_figure(curves: Mapping[str, Curve]) -> bytes:
    """PNG: linear accuracy of every checkpoint over each signal, a colour per recipe."""
    shown = [signal for signal in SIGNALS if any(signal in curve for curve in curves.values())]
    figure, axes = panels(len(shown))
    for signal, axis in zip(shown, axes, strict=True):
        for recipe, curve in curves.items():
            if signal in curve:
                axis.plot(curve[signal], curve[ACCURACY], "o", markersize=4, alpha=0.8, label=literal(recipe))
        axis.set_xlabel(signal)
    axes[0].set_ylabel("linear accuracy (%)")
    axes[0].legend()
    return png(figure)
