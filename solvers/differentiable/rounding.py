"""A predicted solution, rounded: what a network that learns solutions gives without a solver (docs/papers/surco.md#3.4)."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.cost_network import CostNetwork
from runs.anytime import Trace
from runs.errors import ConfigError
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution, Status
from solvers.differentiable.relaxed import relaxation


class Rounding:
    """1 for every variable whose predicted sigmoid(-latent) is above a half, feasible or not; no query of f."""

    def solve(
        self,
        problem: Any,
        *,
        budget: Budget,
        scorer: Any = None,
        initial: np.ndarray | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Round what ``scorer`` predicts.

        Raises
        ------
        ConfigError
            There is no network that predicts.
        """
        if not isinstance(scorer, CostNetwork):
            raise ConfigError("nothing predicts solutions; choose a network with model=...")
        meter = budget.start()
        assignment = relaxation(problem).assignment((scorer.latent(problem) < 0).astype(np.float64))
        trace = Trace(maximize=bool(getattr(problem, "maximize", False)))
        if not problem.is_feasible(assignment):
            return Solution(assignment, np.nan, False, Status.NO_SOLUTION, trace)
        objective = float(problem.objective(assignment))
        trace.record(meter.seconds, 0, objective)
        return Solution(assignment, objective, True, Status.FEASIBLE, trace)
