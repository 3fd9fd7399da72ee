"""A policy is trained once, left in the run's folder, and refused where it does not belong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.sharding.instances import ShardingTasks
from data.sharding.oracles.analytical import gpu11
from data.sharding.table_law import law_tables
from data.sharding.tasks import BenchmarkTasks, HalvedTasks
from models.sharding.dream_shard import DreamShard
from runs.errors import ConfigError
from solvers.sharding.dream_shard import DreamShardTraining
from solvers.sharding.placement import Tasks
from tasks.sharding.trained_placement import TrainedPlacement


class Once:
    """A training that counts how often it was asked, and leaves its mark."""

    def __init__(self) -> None:
        self.asked = 0

    def train(self, network: Any, tasks: Tasks, seed: int) -> int:
        self.asked += 1
        torch.nn.init.constant_(network.policy.bias, 100.0 + seed)
        return 7


def learned(
    cache: Path | None, training: Any, devices: int = 4, features: str = "sized", seed: int = 0, gib: float = 4
) -> Any:
    tasks = ShardingTasks(lambda: law_tables(30, seed=3), gpu11(), devices, gib, BenchmarkTasks(3, 5), count=2)
    settings = f'{{"seed": {seed}}}'
    return TrainedPlacement(
        "dream_shard", DreamShard, training, tasks, features, seed, settings, None if cache is None else str(cache)
    )


def test_runs_that_need_the_same_policy_train_it_once(tmp_path: Path) -> None:
    training = Once()
    first = learned(tmp_path / "cache", training).prepare(tmp_path / "a", 4)
    second = learned(tmp_path / "cache", training).prepare(tmp_path / "b", 4)
    learned(tmp_path / "cache", training, seed=1).prepare(tmp_path / "c", 4)
    assert training.asked == 2
    assert first.measured_plans == second.measured_plans == 7
    weights = (policy.network.state_dict() for policy in (first, second))
    for one, other in zip(*(state.values() for state in weights), strict=True):
        assert torch.equal(one, other)
    assert second.network.policy.bias.item() == 100
    assert {path.name for path in tmp_path.glob("*/checkpoints/dream_shard.pt")} == {"dream_shard.pt"}
    assert len(list(tmp_path.glob("*/checkpoints/dream_shard.pt"))) == 3


def test_a_network_begins_the_same_whatever_was_drawn_before() -> None:
    learning = learned(None, Once())
    first = learning._network().state_dict()
    torch.rand(5)
    assert all(torch.equal(value, first[name]) for name, value in learning._network().state_dict().items())


def test_a_policy_for_other_devices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.tasks has 8 devices, and data\.devices is 4"):
        learned(None, Once(), devices=8).prepare(tmp_path, 4)


def test_features_that_there_are_not_are_refused() -> None:
    with pytest.raises(ConfigError, match="features is 'none'; choose authors, log"):
        learned(None, Once(), features="none")


def test_tasks_that_need_a_split_are_not_learned_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"every task of model\.tasks has a table that is larger than any device"):
        learned(None, Once(), gib=1e-6).prepare(tmp_path, 4)


def test_a_policy_can_be_trained_in_the_midst_of_a_test(tmp_path: Path) -> None:
    training = DreamShardTraining(rounds=1, plans=1, cost_steps=1, batches=1, episodes=2)
    with torch.inference_mode():
        assert learned(None, training).prepare(tmp_path, 4).measured_plans == 1


def test_of_a_pool_that_is_halved_the_other_half_is_learned_from(tmp_path: Path) -> None:
    training, seen = Once(), set()
    real = training.train

    def train(network: Any, tasks: Tasks, seed: int) -> int:
        seen.update(name for problem in tasks.problems for name in problem.tables.names)
        return real(network, tasks, seed)

    training.train = train  # type: ignore[method-assign]
    pool, halved = law_tables(20, seed=3), HalvedTasks(5, half="test")
    tasks = ShardingTasks(lambda: pool, gpu11(), 4, 40, halved, count=30, training=True)
    TrainedPlacement("dream_shard", DreamShard, training, tasks).prepare(tmp_path, 4)
    order = np.random.default_rng(0).permutation(20)
    assert seen == {pool.names[table] for table in order[:10]}
