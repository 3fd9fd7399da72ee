"""The best of all simple paths (docs/papers/surco.md#4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data.routing.problem import RoutingProblem
from data.routing.simple_paths import simple_paths
from runs import interrupt
from runs.errors import SolverFailure, at_least
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution, Status
from solvers.differentiable.best import BestVertex
from solvers.differentiable.relaxed import relaxation


class Enumeration:
    """Every path is tried; an evaluation is a query of f.

    Parameters
    ----------
    most
        Paths; a graph with more is refused.

    Raises
    ------
    ConfigError
        ``most`` is below 1.
    """

    def __init__(self, most: int = 1_000_000) -> None:
        at_least("solver.", most=(most, 1))
        self.most = most

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
        """Try all paths that the budget allows; optimal if that is all there are.

        Raises
        ------
        SolverFailure
            There are more paths than ``most``.
        """
        problem.validate()
        with interrupt.watch():
            best, ended = BestVertex(problem, relaxation(problem), budget), True
            for paths in simple_paths(problem):
                if best.meter.exhausted:
                    ended = False
                    break
                if best.meter.evaluations + len(paths) > self.most:
                    raise SolverFailure(
                        f"{problem.name} has more than {self.most:,} simple paths; try a smaller graph, or raise solver.most"
                    )
                best.values(paths.astype(float))
            found = best.solution({})
            if not ended:
                return found
            found.trace.bound[-1] = found.objective
            return replace(found, status=Status.OPTIMAL)
