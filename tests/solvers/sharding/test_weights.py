"""Rules without learning, by hand, and where they place three tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.sharding.oracles.analytical import OuterLinks, gpu11, nvlink
from data.sharding.oracles.noisy import Noisy
from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from data.sharding.table_law import law_tables
from solvers.base import Budget
from solvers.sharding.greedy import Greedy
from solvers.sharding.weights import Bandwidths, torchrec_costs, weights

TABLES = replace(law_tables(3, seed=0), rows=np.array([1000, 10, 100]), pooling_factor=np.array([1.0, 50.0, 2.0]))
PROBLEM = ShardingProblem("three", TABLES, np.array([8, 16, 4]), np.full(2, 10**9), gpu11())


def test_greedy_rules_by_hand() -> None:
    found = weights(PROBLEM)
    by_hand = {
        "size": [32_000.0, 640.0, 1600.0],
        "dim": [8.0, 16.0, 4.0],
        "lookup": [8.0, 800.0, 8.0],
        "size_lookup": [24.0, 800.0, 16.0],
    }
    assert {name: found[name].tolist() for name in by_hand} == by_hand
    devices = {
        rule: Plan.of_array(
            Greedy(rule).solve(PROBLEM, budget=Budget(seconds=9), rng=np.random.default_rng(0)).assignment
        ).devices
        for rule in found
    }
    assert devices == {
        "size": (0, 1, 1),
        "dim": (1, 0, 1),
        "lookup": (1, 0, 1),
        "size_lookup": (1, 0, 1),
        "torchrec_model": (1, 0, 1),
    }


def test_a_piece_weighs_what_a_table_of_its_dimension_does() -> None:
    halves = weights(PROBLEM, np.array([1, 1]), np.array([8, 8]))
    half = weights(replace(PROBLEM, dims=np.array([8, 8, 4])))
    for rule, values in halves.items():
        assert values.tolist() == [half[rule][1]] * 2


@pytest.mark.parametrize(("dim", "penalty", "read"), [(16, 1.75, 32), (64, 1.15, 64), (128, 1.0, 128)])
@pytest.mark.parametrize("pooling", [0.25, 50.0])
def test_the_model_of_torchrec_by_hand(dim: int, penalty: float, read: int, pooling: float) -> None:
    batch, tables = TABLES.batch, replace(TABLES, pooling_factor=np.array([1.0, pooling, 2.0]))
    output = 4 * batch * dim * min(pooling, 1)
    moved = 8 * pooling * batch + 4 * pooling * batch * read + output
    expected = moved * penalty / 4.5e8 * 3 + 2 * output / 6e6
    found = torchrec_costs(tables, np.array([1]), np.array([dim]), Bandwidths(4.5e8, 6e6))
    assert found[0] == pytest.approx(expected, rel=1e-12)


def test_bandwidths_are_the_devices_own_and_else_torchrecs() -> None:
    assert Bandwidths.of(gpu11()) == (4.5e8, 6e6)
    assert Bandwidths.of(Noisy(nvlink(), 0.1)) == (1.2e9, 2e8)
    assert Bandwidths.of(nvlink(outer=[OuterLinks(8, 0.05, 6e6)])) == (1.2e9, 6e6)
    assert Bandwidths.of(object()) == (897 * 2**30 / 1000, 600 * 2**30 / 1000)  # type: ignore[arg-type]
