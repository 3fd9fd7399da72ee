"""A trained prior at work: predicted costs, one call of the oracle, no query of f (docs/papers/surco.md#3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from models.cost_network import CostNetwork
from runs.anytime import Trace
from runs.errors import ConfigError
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution, Status
from solvers.differentiable.oracle import LinearOracle
from solvers.differentiable.parametrisation import Direct, Parametrisation
from solvers.differentiable.relaxed import Relaxed, relaxation


class Deployment:
    """What the oracle answers to predicted costs.

    Parameters
    ----------
    oracle
        Of linear costs.
    parametrisation
        From the latents that the prior predicts to costs; by default they are the same.
    relax
        From the problem to its :class:`~solvers.differentiable.relaxed.Relaxed`, where it is none itself; says what a vertex
        is as an assignment.
    """

    def __init__(
        self,
        oracle: LinearOracle,
        parametrisation: Parametrisation | None = None,
        relax: Callable[[Any], Relaxed] | None = None,
    ) -> None:
        self.oracle, self.parametrisation, self.relax = oracle, parametrisation or Direct(), relax

    def solve(
        self,
        problem: Any,
        *,
        budget: Budget,
        scorer: Any = None,
        initial: Float[np.ndarray, " variables"] | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Answer to the costs that ``scorer`` predicts, or to those that are given as ``initial``.

        Raises
        ------
        ConfigError
            There are neither.
        InvalidProblem, SolverFailure
            As :meth:`solvers.differentiable.oracle.LinearOracle.solve`.
        """
        if initial is None and not isinstance(scorer, CostNetwork):
            raise ConfigError("nothing predicts costs; choose a prior with model=...")
        meter = budget.start()
        self.oracle.check(problem)
        if initial is None:
            costs = self.parametrisation.costs(scorer.latent(problem), problem)
        else:
            costs = np.asarray(initial, np.float64)
        x = self.oracle.solve(costs[None], problem).x[0]
        assignment = relaxation(problem, self.relax).assignment(x)
        seconds = meter.seconds
        objective = float(problem.objective(assignment))
        trace = Trace(maximize=bool(getattr(problem, "maximize", False)))
        trace.record(seconds, 0, objective)
        return Solution(assignment, objective, bool(problem.is_feasible(assignment)), Status.FEASIBLE, trace)
