"""All paths that are shortest by mean plus some multiple of the variance (docs/papers/surco.md#4)."""

from __future__ import annotations

from collections import deque

import numpy as np
from jaxtyping import Float

from data.routing.problem import RoutingProblem
from runs import interrupt
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.differentiable.best import BestVertex
from solvers.differentiable.relaxed import relaxation
from solvers.routing.shortest_path import ShortestPath

TOLERANCE = 1e-12


class ParametricSweep:
    """The best of the shortest paths by mean + a variance over all a >= 0, found at the breakpoints of a.

    Between two paths there is another one just if it is shorter where both are equally long: every path of the lower left
    hull of means and variances is found, with fewer than two oracle calls each. Without a factor the best path is among them
    if some path has a mean that is not later than the deadline. An evaluation is a query of f.

    References
    ----------
    Eisner, Severance, Mathematical techniques for efficient record segmentation in large shared databases, J. ACM
    23 (1976).
    """

    def __init__(self) -> None:
        self.oracle = ShortestPath()

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
        """All paths of the hull that the budget allows; the log's ``weight`` is the a at which each was found."""
        problem.validate()
        variances = problem.marginal_variances
        log: dict[str, list[float]] = {"weight": []}

        def shortest(costs: np.ndarray, weight: float) -> Float[np.ndarray, " edges"]:
            x = self.oracle.solve(costs[None], problem).x
            best.values(x)
            log["weight"].append(weight)
            return x[0]

        with interrupt.watch():
            best = BestVertex(problem, relaxation(problem), budget)
            fastest = shortest(problem.means, 0.0)
            if best.meter.exhausted:
                return best.solution({name: np.array(column) for name, column in log.items()})
            waiting = deque([(fastest, shortest(variances, np.inf))])
            while waiting and not best.meter.exhausted:
                left, right = waiting.popleft()
                later, steadier = (right - left) @ problem.means, (left - right) @ variances
                if later <= 0 or steadier <= 0:  # the one is no worse in both
                    continue
                weight = later / steadier
                costs = problem.means + weight * variances
                x = self.oracle.solve(costs[None], problem).x
                if x[0] @ costs < left @ costs * (1 - TOLERANCE):
                    best.values(x)
                    log["weight"].append(weight)
                    waiting += [(left, x[0]), (x[0], right)]
            return best.solution({name: np.array(column) for name, column in log.items()})
