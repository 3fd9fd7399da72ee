"""Problems so small that every plan can be looked at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan, is_splittable, split
from data.sharding.problem import ShardingProblem
from data.sharding.table_law import law_tables


def tiny(seed: int, tables: int = 3, devices: int = 2, slack: float = 0.05) -> ShardingProblem:
    """Tables of 4 to 16 columns on devices that have little more than what is needed."""
    rng = np.random.default_rng(seed)
    pool = law_tables(30, seed=5)
    chosen = pool.take(rng.choice(np.flatnonzero(pool.rows < 2_000_000), tables))
    dims = rng.choice([4, 8, 16], size=tables)
    needed = int(chosen.rows @ dims) * 4
    memory = np.full(devices, int(needed / devices * (1 + slack)))
    return ShardingProblem(f"tiny{seed}", chosen, dims, memory, gpu11())


def every_plan(problem: ShardingProblem) -> Iterator[Plan]:
    """All plans that fit, some of them more than once."""
    states, seen = [()], set()
    while states:
        splits = states.pop()
        table, dim = split(problem.dims, splits)
        key = tuple(sorted(zip(table.tolist(), dim.tolist(), strict=True)))
        if key in seen:
            continue
        seen.add(key)
        states += [(*splits, i) for i in range(len(dim)) if is_splittable(int(dim[i]))]
        for devices in itertools.product(range(problem.devices), repeat=len(dim)):
            plan = Plan(splits, devices)
            if problem.is_feasible(plan.array()):
                yield plan
