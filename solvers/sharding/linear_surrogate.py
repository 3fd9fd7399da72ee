"""SurCo on embedding tables: any search on costs, for whole tables on devices (docs/papers/surco.md#3.6)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from data.sharding.problem import ShardingProblem
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution, Solver
from solvers.sharding.cost_model import cost_model
from solvers.sharding.relaxed import RelaxedPlans, share_costs


class LinearSurrogate:
    """A descent or another search on costs, with whole tables as its answers. An evaluation is a plan priced.

    Parameters
    ----------
    solver
        Searches a :class:`~solvers.differentiable.relaxed.Relaxed` problem through
        :class:`~solvers.sharding.assignment_oracle.TableAssignment`.
    on_oracle
        Whether plans are priced by the problem's own device, which must be one of formulas, and else by the model. What is
        found is priced by the device in any case, as are the plans that the trace shows.
    """

    def __init__(self, solver: Solver, on_oracle: bool = True) -> None:
        self.solver, self.on_oracle = solver, on_oracle

    def solve(
        self,
        problem: ShardingProblem,
        *,
        budget: Budget,
        scorer: Any = None,
        initial: Float[np.ndarray, " variables"] | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Search from the costs ``initial``; ``scorer`` prices plans where the device is not asked.

        Raises
        ------
        ConfigError
            There is no cost model, or none with a gradient.
        InvalidProblem
            A table fits on no device as a whole.
        """
        model = cost_model(problem, self.on_oracle, scorer, object, "the search")
        problem.validate()
        view = RelaxedPlans(problem, share_costs(problem, model))
        return self.solver.solve(
            view,
            budget=budget,
            scorer=scorer if self.on_oracle else None,
            initial=initial,
            rng=rng,
            checkpoint=checkpoint,
        )
