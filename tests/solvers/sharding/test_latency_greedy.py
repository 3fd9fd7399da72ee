"""Greedy placement by latency, against a placement that asks for one plan at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.sharding.plan import Pieces, Plan
from data.sharding.problem import ShardingProblem
from runs.errors import ConfigError
from solvers.base import Budget, Status
from solvers.sharding.latency_greedy import LatencyGreedy
from tests.solvers.sharding.tiny import tiny

SECONDS = Budget(seconds=60)


def solved(solver: LatencyGreedy, problem: ShardingProblem) -> np.ndarray | None:
    return solver.solve(problem, budget=SECONDS, rng=np.random.default_rng(0)).assignment


def one_at_a_time(problem: ShardingProblem, order: list[int]) -> list[int]:
    placed: dict[int, int] = {}
    for table in order:
        costs = []
        for device in range(problem.devices):
            trial = placed | {table: device}
            pieces = Pieces(np.array([*trial]), problem.dims[[*trial]], np.array([*trial.values()]))
            fits = (problem.memory_used(pieces) <= problem.memory).all()
            cost = problem.oracle.price(problem.tables, pieces, problem.devices).plan[0]
            costs.append(cost if fits else np.inf)
        placed[table] = int(np.argmin(costs))
    return [placed[table] for table in range(len(problem.dims))]


def alone(problem: ShardingProblem, table: int) -> float:
    pieces = Pieces(np.array([table]), problem.dims[[table]], np.array([0]))
    return problem.oracle.compute(problem.tables, pieces, problem.devices, problem.devices)[0]


@pytest.mark.parametrize("seed", range(4))
def test_each_table_goes_where_the_plan_so_far_costs_least(seed: int) -> None:
    problem = tiny(seed, tables=7, devices=3, slack=3.0)
    orders = {"given": list(range(7)), "cost": sorted(range(7), key=lambda table: -alone(problem, table))}
    for name, order in orders.items():
        found = solved(LatencyGreedy(name), problem)
        assert found is not None
        assert Plan.of_array(found).devices == tuple(one_at_a_time(problem, order))


def test_without_room_there_is_no_plan_and_bad_settings_are_named() -> None:
    problem = tiny(0, tables=3, slack=0.4)
    tight = replace(problem, memory=np.full(2, int(problem.column_bytes @ problem.dims) // 2 + 1))
    found = LatencyGreedy().solve(tight, budget=SECONDS, rng=np.random.default_rng(0))
    assert found.status == Status.NO_SOLUTION and found.assignment is None
    with pytest.raises(ConfigError, match=r"solver\.order is 'size'; choose given, cost"):
        LatencyGreedy("size")
    with pytest.raises(ConfigError, match="the rule has no cost model"):
        LatencyGreedy(on_oracle=False).solve(problem, budget=SECONDS, rng=np.random.default_rng(0))
