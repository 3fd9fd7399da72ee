"""A plan where greedy placement finds none: packed exactly, then improved (docs/papers/neuroshard.md#3.5)."""

from __future__ import annotations

import numpy as np

from data.sharding.oracles.oracle import CostOracle
from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from solvers.base import Budget, Meter
from solvers.gradient_free.local_search import LocalSearch
from solvers.gradient_free.search import GradientFreeSearch
from solvers.sharding.packing import pack
from solvers.sharding.plan_space import PlanCosts, PlanSpace

EVALUATIONS = 20_000
"""Shards that are priced to improve a packing, at most."""


def packed(
    problem: ShardingProblem, model: CostOracle, meter: Meter, rng: np.random.Generator
) -> tuple[Plan, float] | None:
    """A packing, improved by local search on predicted costs within what the meter has left, and its predicted cost."""
    first = pack(problem, meter.remaining_seconds, rng)
    if first is None or meter.exhausted:
        return None if first is None else (first, np.inf)
    left = Budget(meter.budget.seconds and meter.remaining_seconds, int(min(meter.remaining_evaluations, EVALUATIONS)))
    space = PlanSpace(problem)
    search = GradientFreeSearch(space, PlanCosts(problem, model), LocalSearch(patience=None), left, rng)
    search.run(space.point(problem.pieces(first)))
    meter.evaluations += search.meter.evaluations
    assert search.point is not None
    return Plan.of_array(search.point), search.value
