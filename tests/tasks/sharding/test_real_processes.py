"""Plans on processes that exchange: varied ones, what rules say of them, and how their order is judged."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data.sharding.oracles.all_to_all import AllToAll
from data.sharding.oracles.analytical import gpu11
from data.sharding.oracles.eager import Eager
from data.sharding.oracles.measured import MeasuredOracle
from data.sharding.oracles.real import RealSteps, real_steps
from data.sharding.oracles.timing import Timing
from data.sharding.plan import Plan
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.table_law import law_tables
from runs.errors import ConfigError, SolverFailure
from runs.record import instances
from tasks.sharding.real_processes import RealProcesses, judged, priced, rules, varied_plans

QUICK = Timing(repeats=2, warmup=0, smallest=1, flush_mb=0, steady=1e9)


def problem(oracle: Any, gib: float = 100) -> ShardingProblem:
    tables = law_tables(5, seed=5, batch=32)
    return ShardingProblem("task", tables, np.array([64, 32, 32, 8, 4]), np.full(2, gib * GIB).astype(np.int64), oracle)


def test_plans_are_feasible_all_different_and_of_every_balance() -> None:
    task = problem(gpu11())
    plans = varied_plans(task, 30, np.random.default_rng(0))
    assert len(set(plans)) == 30 and all(task.is_feasible(plan.array()) for plan in plans)
    spread = rules(task, [task.pieces(plan) for plan in plans])["dim"] / 70
    assert spread.min() < 1.1 and spread.max() > 1.8 and any(plan.splits for plan in plans)
    needed = float(task.column_bytes @ task.dims) / GIB
    with pytest.raises(SolverFailure, match=r"task: [0-9]+ of 2000 random plans fit, and 30 are needed"):
        varied_plans(problem(gpu11(), needed / 2 + 1e-9), 30, np.random.default_rng(0))


def test_rules_look_at_the_device_that_has_most() -> None:
    task = problem(gpu11())
    pieces = [task.pieces(Plan((), (0, 0, 1, 1, 1))), task.pieces(Plan((0,), (0, 1, 1, 1, 1, 1)))]
    assert rules(task, pieces)["dim"].tolist() == [96, 108]
    sizes = task.column_bytes * task.dims
    assert rules(task, pieces)["size"][0] == max(sizes[:2].sum(), sizes[2:].sum())
    expected = [float(gpu11().price(task.tables, each, 2).plan[0]) for each in pieces]
    assert priced(gpu11(), task, pieces) == pytest.approx(expected)


def test_order_and_regret_are_those_of_the_slowest_process() -> None:
    slowest = np.array([4.0, 2, 3])
    processor = np.stack([np.repeat(slowest[:, None], 5, axis=1), np.ones((3, 5))])
    real = RealSteps(processor, processor[:, ::-1])
    assert real.processor_cost().tolist() == slowest.tolist()
    found = judged(np.array([40.0, 20, 30]), real)
    assert found["order"] == pytest.approx(1) and found["regret"] == 0
    assert judged(np.array([1.0, 2, 3]), real)["regret"] == 1
    assert np.isnan(judged(np.ones(3), real)["order"])


def test_every_process_steps_through_every_plan_even_with_an_empty_shard() -> None:
    task = problem(gpu11())
    pieces = [task.pieces(Plan((), (0, 0, 0, 0, 0))), task.pieces(Plan((0,), (0, 1, 1, 1, 1, 1)))]
    real = real_steps(Eager(), task.tables, pieces, 2, warmup=1, steps=2, flush_mb=0)
    assert real.processor.shape == real.wall.shape == (2, 2, 2)
    assert (real.processor >= 0).all() and (real.wall > 0).all()


def test_a_task_reports_the_networks_beside_rules_and_measured_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = RealProcesses(SimpleNamespace(prepare=lambda folder, devices: gpu11()), plans=3, warmup=0, steps=2)
    monkeypatch.setattr(RealProcesses, "folder", tmp_path)
    monkeypatch.setattr(RealProcesses, "data", SimpleNamespace(devices=2))
    task.on_test_start()
    measured = MeasuredOracle(Eager(), AllToAll(warmup=0, repeats=1), QUICK)
    own = task.result(0, "set/task", problem(measured))
    assert {"order", "order_wall", "regret", "repeated_order", "mape"} <= set(own.metrics)
    assert len(own.log["predicted"]) == len(own.log["processor"]) == 3
    assert sorted(str(other.method) for other in instances.load_all(tmp_path)) == ["dim", "lookup", "measured", "size"]
    assert list((tmp_path / "figures" / "order").rglob("*.png"))
    with pytest.raises(ConfigError, match=r"data.device is not measured"):
        task.result(0, "set/task", problem(gpu11()))
