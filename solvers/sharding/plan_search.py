"""Gradient-free search over plans: random, local, annealing (docs/papers/neuroshard.md#3.4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from data.sharding.oracles.oracle import CostOracle
from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from runs.errors import SolverFailure
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution, Solver
from solvers.gradient_free.method import Method
from solvers.gradient_free.search import GradientFreeSearch
from solvers.sharding.answer import answer
from solvers.sharding.cost_model import cost_model
from solvers.sharding.plan_space import PlanCosts, PlanSpace


class PlanSearch:
    """A method of :mod:`solvers.gradient_free` on the plans of a problem.

    Parameters
    ----------
    method
        How it searches.
    on_oracle
        Whether plans are priced by the problem's own oracle, and else by the model: then ``log`` has the ``predicted`` cost
        of the best plan so far in ms, and the oracle sees that plan alone.
    splits
        Whether pieces may be halved and joined.
    start
        Finds the plan from which it starts, where none is given; where it finds none, and without it, that is a random one.
    """

    def __init__(
        self, method: Method, on_oracle: bool = True, splits: bool = True, start: Solver | None = None
    ) -> None:
        self.method, self.on_oracle, self.splits, self.start = method, on_oracle, splits, start

    def solve(
        self,
        problem: ShardingProblem,
        *,
        budget: Budget,
        scorer: CostOracle | None = None,
        initial: Int[np.ndarray, " length"] | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Search; ``scorer`` is the cost model where the oracle is not asked.

        Raises
        ------
        ConfigError
            There is no cost model.
        """
        model = cost_model(problem, self.on_oracle, scorer, CostOracle, "the search")
        problem.validate()
        space = PlanSpace(problem, self.splits)
        search = GradientFreeSearch(space, PlanCosts(problem, model), self.method, budget, rng)
        try:
            search.run(self._first(problem, space, rng) if initial is None else initial, checkpoint)
        except SolverFailure:  # no plan to start from
            return answer(problem, None, search.meter)
        plan = None if search.point is None else Plan.of_array(search.point)
        log = {name: np.array(column) for name, column in search.log.items()}
        if not self.on_oracle:
            return answer(problem, plan, search.meter, (), log | {"predicted": np.minimum.accumulate(log["least"])})
        found = answer(problem, plan, search.meter, (), log)
        search.trace.record(search.meter.seconds, search.meter.evaluations, search.value)
        return replace(found, trace=search.trace)

    def _first(self, problem: ShardingProblem, space: PlanSpace, rng: np.random.Generator) -> np.ndarray | None:
        if self.start is None:
            return None
        found = self.start.solve(problem, budget=Budget(evaluations=problem.devices), rng=rng)
        if not found.feasible or found.assignment is None:
            return None
        return space.point(problem.pieces(Plan.of_array(found.assignment)))
