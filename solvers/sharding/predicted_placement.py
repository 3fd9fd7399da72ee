"""Placements that a network predicts directly: each table to its likeliest device, with or without room there
(docs/papers/surco.md#4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from models.cost_network import CostNetwork
from runs.errors import ConfigError
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.sharding.answer import answer
from solvers.sharding.greedy import room


class PredictedPlacement:
    """Whole tables by the softmax of their predicted -latents over the devices; nothing is evaluated.

    Parameters
    ----------
    fill
        Whether tables are placed one after the other, of all that are left the likeliest pair of a table and a device with
        room for it; else each goes where it is likeliest, fit or not.
    """

    def __init__(self, fill: bool = False) -> None:
        self.fill = fill

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
        """Place tables as ``scorer`` predicts.

        Raises
        ------
        ConfigError
            There is no network that predicts.
        """
        if not isinstance(scorer, CostNetwork):
            raise ConfigError("nothing predicts solutions; choose a network with model=...")
        problem.validate()
        meter = budget.start()
        scores = -scorer.latent(problem).reshape(-1, problem.devices)
        likely = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
        devices = _filled(problem, likely) if self.fill else likely.argmax(1).tolist()
        return answer(problem, None if devices is None else Plan((), tuple(devices)), meter)


def _filled(problem: ShardingProblem, likely: Float[np.ndarray, "tables devices"]) -> list[int] | None:
    """The likeliest pairs first; None where a table fits nowhere any more."""
    sizes = problem.column_bytes * problem.dims
    chosen, used = np.full(len(sizes), -1), np.zeros(problem.devices, np.int64)
    for pair in np.argsort(-likely, axis=None, kind="stable").tolist():
        table, device = divmod(pair, problem.devices)
        if chosen[table] < 0 and device in room(problem, table, used):
            chosen[table] = device
            used[device] += sizes[table]
    return None if (chosen < 0).any() else chosen.tolist()
