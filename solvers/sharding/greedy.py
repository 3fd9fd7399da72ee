"""Greedy placement by a weight that needs no model: the rules practitioners use (docs/papers/neuroshard.md#3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int

from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from runs.errors import ConfigError
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.sharding.answer import answer
from solvers.sharding.weights import weights

RULES = ("random", "size", "dim", "lookup", "size_lookup", "torchrec_model")


class Greedy:
    """Tables by descending weight, each to the device of the least weight so far that has room for it.

    Ties go to the smaller table first, then to the first. Where a table fits nowhere there is no plan.

    Parameters
    ----------
    weight
        One of :func:`~solvers.sharding.weights.weights`, or ``random``: any order, any device with room.

    Raises
    ------
    ConfigError
        There is no such weight.
    """

    def __init__(self, weight: str) -> None:
        if weight not in RULES:
            raise ConfigError(f"solver.weight is '{weight}'; choose {', '.join(RULES)}")
        self.weight = weight

    def solve(
        self,
        problem: ShardingProblem,
        *,
        budget: Budget,
        scorer: Any = None,
        initial: Int[np.ndarray, " length"] | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Place every table once; nothing is evaluated."""
        problem.validate()
        meter = budget.start()
        devices = self._random(problem, rng) if self.weight == "random" else self._by_weight(problem)
        return answer(problem, None if devices is None else Plan((), tuple(devices)), meter)

    def _by_weight(self, problem: ShardingProblem) -> list[int] | None:
        weight, sizes = weights(problem)[self.weight], problem.column_bytes * problem.dims
        chosen = np.zeros(len(weight), np.int64)
        load, used = np.zeros(problem.devices), np.zeros(problem.devices, np.int64)
        for table in np.lexsort((np.arange(len(weight)), sizes, -weight)):
            free = room(problem, int(table), used)
            if not len(free):
                return None
            device = free[np.argmin(load[free])]
            chosen[table] = device
            load[device] += weight[table]
            used[device] += sizes[table]
        return chosen.tolist()

    def _random(self, problem: ShardingProblem, rng: np.random.Generator) -> list[int] | None:
        sizes = problem.column_bytes * problem.dims
        chosen, used = np.zeros(len(sizes), np.int64), np.zeros(problem.devices, np.int64)
        for table in rng.permutation(len(sizes)):
            free = room(problem, int(table), used)
            if not len(free):
                return None
            chosen[table] = rng.choice(free)
            used[chosen[table]] += sizes[table]
        return chosen.tolist()


def room(problem: ShardingProblem, table: int, used: Int[np.ndarray, " devices"]) -> Int[np.ndarray, " some"]:
    """The devices that may take a whole table."""
    fits = used + problem.column_bytes[table] * problem.dims[table] <= problem.memory
    if problem.pinned is not None and problem.pinned[table] >= 0:
        fits &= np.arange(problem.devices) == problem.pinned[table]
    return np.flatnonzero(fits)
