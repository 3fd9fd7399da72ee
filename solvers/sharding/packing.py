"""Exact packing: splits and a place for every piece where greedy placement finds none (docs/papers/neuroshard.md#3.5)."""

from __future__ import annotations

import numpy as np

from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from solvers.base import Budget
from solvers.milp.cpsat import CpSat
from solvers.sharding.assignment_ilp import fewest_pieces

SECONDS = 10.0
"""Of one packing at most."""


def pack(problem: ShardingProblem, seconds: float, rng: np.random.Generator) -> Plan | None:
    """A plan that fits, of as few pieces as CP-SAT finds within 2 %; None where none is found, or there is none.

    Memory alone is looked at.
    """
    model = fewest_pieces(problem)
    solver = CpSat(parameters={"relative_gap_limit": 0.02})
    found = solver.solve(model.ilp, budget=Budget(seconds=min(seconds, SECONDS)), rng=rng)
    return None if found.assignment is None else model.plan(found.assignment)
