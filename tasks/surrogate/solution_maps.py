"""The theory of surrogate costs, checked numerically: what is predicted and how well (docs/papers/surco.md#8)."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from data.directions import Directions
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from solvers.differentiable.solution_maps import MAPS, least_error, measures
from tasks.panels import BLUE, GREY, ORANGE, panels, png
from tasks.problems import ProblemTask

COLOURS = {"costs": BLUE, "solutions": ORANGE}


class SolutionMaps(ProblemTask):
    """Predictions of costs, and beside them of solutions, by nearest neighbours."""

    def result(self, index: int, name: str, problem: Directions) -> InstanceResult:
        """The measures of one set of directions; those of solutions stand beside."""
        found = {what: measures(what, problem) for what in ("costs", "solutions")}
        dimension = problem.seen.shape[1]
        if dimension == 2:
            found["costs"]["least_error"] = least_error(len(problem.seen))
        log = {"seen": np.array([len(problem.seen)])}
        instances.save(self.folder, InstanceResult(index, name, found["solutions"], log=log, method="solutions"))
        return InstanceResult(index, name, found["costs"], log=log, method="costs")

    def on_test_epoch_end(self) -> None:
        """The means, and the figure."""
        super().on_test_epoch_end()
        if self.trainer.is_global_zero:
            results = instances.load_all(self.folder)
            draw(self.folder, "solution_maps", lambda: solution_maps_figure(results))


def solution_maps_figure(results: list[InstanceResult]) -> bytes:
    """Wrong decisions, largest errors and Lipschitz constants over the number of seen instances."""
    figure, axes = panels(3)
    shown = (
        ("optimal_averaged", "share of decisions that are not optimal"),
        ("largest_error", "largest error of a nearest neighbour"),
        ("lipschitz", "Lipschitz constant between neighbours"),
    )
    for axis, (metric, label) in zip(axes, shown, strict=True):
        for method in MAPS:
            by_count = defaultdict(list)
            for result in results:
                if result.method == method and metric in result.metrics:
                    by_count[int(result.log["seen"][0])].append(result.metrics[metric])
            counts = sorted(by_count)
            means = np.array([np.mean(by_count[count]) for count in counts])
            axis.plot(
                counts, 1 - means if metric.startswith("optimal") else means, "o-", color=COLOURS[method], label=method
            )
        axis.set(xscale="log", yscale="log", xlabel="instances seen", ylabel=label)
    bounded = sorted({int(r.log["seen"][0]) for r in results if "least_error" in r.metrics})
    axes[1].plot(bounded, [least_error(count) for count in bounded], "--", color=GREY, label="least possible, costs")
    for axis in axes:
        axis.legend()
    return png(figure)
