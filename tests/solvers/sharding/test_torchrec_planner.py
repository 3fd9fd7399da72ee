"""TorchRec's planner: its costs are those of the native model, its plans are plans of ours, and its absence is said."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.table_law import law_tables
from data.sharding.tasks import BenchmarkTasks, problem_of
from runs.errors import ConfigError, MissingDependency
from solvers.base import Budget
from solvers.sharding.torchrec_planner import TorchRecPlanner, _Planning
from solvers.sharding.weights import weights

EVER = Budget(seconds=600)


@pytest.fixture
def needs_torchrec() -> None:
    pytest.importorskip("torchrec", reason="TorchRec is not installed: make torchrec")


def task(seed: int, gib: float = 6) -> ShardingProblem:
    draw = BenchmarkTasks(10, 16).draw(law_tables(100, seed=2), 4, np.random.default_rng(seed))
    return problem_of(draw, law_tables(100, seed=2), [int(gib * GIB)] * 4, gpu11(), f"task{seed}")


def solve(problem: ShardingProblem, min_partition: int | None = None, budget: Budget = EVER) -> Any:
    return TorchRecPlanner(min_partition).solve(problem, budget=budget, rng=np.random.default_rng(0))


@pytest.mark.usefixtures("needs_torchrec")
def test_the_planners_costs_are_those_of_the_native_model() -> None:
    problem = task(0)
    planning = _Planning(problem, problem.dims.tolist())
    planning.run(EVER.start())
    assert planning.best is not None
    own = weights(problem)["torchrec_model"]
    theirs = {int(option.name): option.shards[0].perf.total for option in planning.best}
    np.testing.assert_allclose([theirs[table] for table in range(len(own))], own, rtol=1e-6)  # 1e-12 ms are added here


@pytest.mark.usefixtures("needs_torchrec")
def test_its_plans_are_plans_of_ours_that_fit_to_the_byte() -> None:
    problem = task(1, gib=4.5)
    whole, split = solve(problem), solve(problem, 4)
    assert split.feasible and split.objective == problem.objective(split.assignment)
    assert whole.assignment is None or Plan.of_array(whole.assignment).splits == ()
    pieces = problem.pieces(Plan.of_array(split.assignment))
    assert {int(dim) for dim in pieces.dim} <= {4, *problem.dims.tolist()}
    assert (problem.memory_used(pieces) <= problem.memory).all()


@pytest.mark.usefixtures("needs_torchrec")
def test_memory_of_weights_alone_is_counted_and_each_device_has_its_own() -> None:
    tables = replace(law_tables(3, seed=1), rows=np.array([1000, 2000, 3000]))
    memory = np.array([48_000, 16_000 + 32_000])
    problem = ShardingProblem("exact", tables, np.array([4, 4, 4]), memory, gpu11())
    found = solve(problem)
    assert found.feasible
    used = problem.memory_used(problem.pieces(Plan.of_array(found.assignment)))
    assert used.tolist() == [48_000, 48_000]
    uneven = replace(problem, memory=np.array([16_000, 80_000]))
    assert solve(uneven).feasible
    assert solve(replace(problem, memory=np.array([47_999, 48_001]))).assignment is None


@pytest.mark.usefixtures("needs_torchrec")
def test_the_budget_ends_it_with_its_best_so_far_and_rules_of_tables_bind_it() -> None:
    problem = task(2)
    found = solve(problem, 4, Budget(evaluations=1))
    assert found.feasible and found.trace.evaluations[-1] == problem.devices
    kept = replace(problem, most_pieces=np.full(len(problem.dims), 2))
    pieces = problem.pieces(Plan.of_array(solve(kept, 4).assignment))
    assert np.bincount(pieces.table).max() <= 2


def test_what_it_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = task(0)
    pinned = replace(problem, pinned=np.full(len(problem.dims), 1))
    with pytest.raises(ConfigError, match="is pinned, and TorchRec's planner pins none"):
        solve(replace(pinned, memory=np.full(4, 100 * GIB)))
    with pytest.raises(ConfigError, match="TorchRec has no type of 3 bytes"):
        solve(replace(problem, bytes_per_weight=3))
    with pytest.raises(ConfigError, match=r"solver\.min_partition is 6"):
        TorchRecPlanner(6)
    monkeypatch.setitem(sys.modules, "torchrec", None)
    for name in [name for name in sys.modules if name.startswith("torchrec.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependency, match="'make torchrec' installs it"):
        solve(problem)
