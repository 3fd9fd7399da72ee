"""Greedy placement by predicted latency: the strongest simple rule where a model or a device can be asked
(docs/papers/surco.md#4)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from data.sharding.oracles.oracle import CostOracle
from data.sharding.plan import Pieces, Plan
from data.sharding.problem import ShardingProblem
from runs.errors import ConfigError
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.sharding.answer import answer
from solvers.sharding.cost_model import cost_model
from solvers.sharding.greedy import room

ORDERS = ("given", "cost")


class LatencyGreedy:
    """Each table to the device where the plan so far costs least with it, of those with room; an evaluation is one plan.

    Parameters
    ----------
    order
        ``given``: tables as the task lists them; ``cost``: those first that cost most alone.
    on_oracle
        Whether the problem's own oracle is asked, and else the model.

    Raises
    ------
    ConfigError
        There is no such order.
    """

    def __init__(self, order: str = "cost", on_oracle: bool = True) -> None:
        if order not in ORDERS:
            raise ConfigError(f"solver.order is '{order}'; choose {', '.join(ORDERS)}")
        self.order, self.on_oracle = order, on_oracle

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
        """Place every table once; the budget does not bind, as there is no plan before the last is placed.

        Raises
        ------
        ConfigError
            There is no cost model.
        """
        model = cost_model(problem, self.on_oracle, scorer, CostOracle, "the rule")
        problem.validate()
        meter = budget.start()
        tables = np.arange(len(problem.dims))
        if self.order == "cost":
            alone = Pieces(tables, problem.dims, tables * problem.devices)
            cost = model.compute(problem.tables, alone, len(tables) * problem.devices, problem.devices)
            meter.evaluations += len(tables)
            tables = np.argsort(-cost[alone.shard], kind="stable")
        devices = np.zeros(len(tables), np.int64)
        used = np.zeros(problem.devices, np.int64)
        for count, table in enumerate(tables):
            free = room(problem, int(table), used)
            if not len(free):
                return answer(problem, None, meter)
            placed = tables[: count + 1]
            plans = np.tile(devices[placed], (len(free), 1))
            plans[:, -1] = free
            pieces = Pieces.of_plans([Pieces(placed, problem.dims[placed], plan) for plan in plans], problem.devices)
            costs = model.price(problem.tables, pieces, problem.devices, len(free)).plan
            meter.evaluations += len(free)
            devices[table] = free[np.argmin(costs)]
            used[devices[table]] += problem.column_bytes[table] * problem.dims[table]
        return answer(problem, Plan((), tuple(devices.tolist())), meter)
