"""Paths to take away: a file, a figure of the graph, and what to expect (docs/papers/surco.md#7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from data.routing.path_file import to_csv
from data.routing.problem import RoutingProblem
from runs.record.instances import InstanceResult
from runs.record.kept_files import keep_file, tell
from runs.record.left_out import draw
from solvers.base import Solver
from tasks.routing.paths_figure import paths_figure
from tasks.side_by_side import OWN, answers, best_of, side_by_side
from tasks.surrogate.search import SurrogateSearch


class RoutingPaths(SurrogateSearch):
    """A search beside others, whose best path is kept: ``path.csv``, a figure where the graph has places, and sentences.

    Parameters
    ----------
    beside
        Other solvers by name, whose results stand beside the search's; with the run's model, budget and seed.
    label
        Of the search.
    """

    def __init__(
        self, *given: Any, beside: Mapping[str, Solver] | None = None, label: str = "search", **settings: Any
    ) -> None:
        super().__init__(*given, **settings)
        self.beside, self.label = dict(beside or {}), label

    def result(self, index: int, name: str, problem: RoutingProblem) -> InstanceResult:
        """Search one instance, and keep its path."""
        problem.validate()
        found = side_by_side(self, self.beside, super().result, index, name, problem)
        paths = answers(found)
        best = best_of(problem, paths)
        if best is None:
            tell(self.folder, [f"no path was found for {problem.name}"])
            return found[OWN]
        prefix = "" if len(self.data.test_problems) == 1 else f"{problem.name}."
        keep_file(self.folder, f"{prefix}path.csv", to_csv(problem, paths[best]).encode())
        traces = {label: each.trace for label, each in found.items() if each.trace is not None}
        draw(self.folder, f"{prefix}paths", lambda: paths_figure(problem, paths, traces))
        tell(self.folder, sentences(problem, paths, best))
        return found[OWN]


def sentences(problem: RoutingProblem, paths: Mapping[str, np.ndarray], best: str) -> list[str]:
    """What to expect of the best path, and how probable all are."""
    path = paths[best]
    mean, variance = (float(each[0]) for each in problem.moments(path[None].astype(float)))
    walk = problem.walk(path)
    compared = ", ".join(f"{label} {problem.objective(other):.4g}" for label, other in paths.items())
    return [
        f"{problem.name}: from {problem.label(walk[0])} to {problem.label(walk[-1])} over {len(walk) - 1} edges in "
        f"{mean:.4g} on average, with deviation {variance**0.5:.3g}; by {problem.deadline:.4g} with probability "
        f"{problem.objective(path):.4g}, found by {best}",
        f"probabilities: {compared}",
    ]
