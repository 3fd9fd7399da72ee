"""Predicted placements go where they are likeliest, and with filling only where there is room."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from data.sharding.table_law import law_tables
from models.cost_network import CostNetwork
from runs.errors import ConfigError
from solvers.base import Budget, Solution
from solvers.sharding.predicted_placement import PredictedPlacement

TABLES = law_tables(3, seed=4)
SIZES = TABLES.rows.astype(np.int64) * 4 * 16
LATENTS = torch.tensor([[-3.0, 0.0], [-1.0, 0.0], [-2.0, 0.0]])
"""All prefer the first device: table 0 most, then 2, then 1."""


class Told(CostNetwork):
    def encode(self, problem: ShardingProblem) -> tuple[torch.Tensor]:
        return (LATENTS,)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return latent.flatten()


def placed(fill: bool, first: int, second: int = 10**12) -> Solution:
    problem = ShardingProblem("task", TABLES, np.full(3, 16), np.array([first, second]), gpu11())
    return PredictedPlacement(fill).solve(
        problem, budget=Budget(seconds=9), scorer=Told(), rng=np.random.default_rng(0)
    )


def devices(solution: Solution) -> list[int]:
    assert solution.assignment is not None
    return list(Plan.of_array(solution.assignment).devices)


@pytest.mark.parametrize("fill", [False, True])
def test_with_room_every_table_goes_where_it_is_likeliest(fill: bool) -> None:
    found = placed(fill, 10**12)
    assert found.feasible and devices(found) == [0, 0, 0]


def test_without_filling_a_full_device_is_no_obstacle_and_no_plan() -> None:
    found = placed(False, int(SIZES.sum()) - 1)
    assert devices(found) == [0, 0, 0]
    assert not found.feasible


def test_filling_leaves_the_least_certain_table_to_the_other_device() -> None:
    found = placed(True, int(SIZES.sum()) - 1)
    assert found.feasible and devices(found) == [0, 1, 0]


def test_where_a_table_fits_nowhere_any_more_there_is_no_plan() -> None:
    assert SIZES[2] < SIZES[1]  # table 2 takes the room that 1 needs
    found = placed(True, int(SIZES[0] + SIZES[1]), int(SIZES[2]))
    assert found.assignment is None and not found.feasible


def test_without_a_network_nothing_is_predicted() -> None:
    problem = ShardingProblem("task", TABLES, np.full(3, 16), np.full(2, 10**12), gpu11())
    with pytest.raises(ConfigError, match="nothing predicts solutions"):
        PredictedPlacement().solve(problem, budget=Budget(seconds=9), rng=np.random.default_rng(0))
