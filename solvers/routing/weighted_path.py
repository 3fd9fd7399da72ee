"""Shortest paths by mean and spread of each edge: what practitioners use (docs/papers/surco.md#4)."""

from __future__ import annotations

import numpy as np

from data.routing.problem import RoutingProblem
from runs.errors import at_least
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.differentiable.best import BestVertex
from solvers.differentiable.relaxed import relaxation
from solvers.routing.shortest_path import ShortestPath


class WeightedPath:
    """The shortest path by mean plus weight times standard deviation of each edge; one query of f.

    Parameters
    ----------
    weight
        0: the least expected time.

    Raises
    ------
    ConfigError
        The weight is negative.
    """

    def __init__(self, weight: float = 0.5) -> None:
        at_least("solver.", weight=(weight, 0))
        self.weight, self.oracle = weight, ShortestPath()

    def solve(
        self,
        problem: RoutingProblem,
        *,
        budget: Budget,
        scorer: object = None,
        initial: np.ndarray | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """One call of the oracle."""
        problem.validate()
        best = BestVertex(problem, relaxation(problem), budget)
        costs = problem.means + self.weight * np.sqrt(problem.marginal_variances)
        best.values(self.oracle.solve(costs[None], problem).x)
        return best.solution({})
