"""Learned placements: the environment keeps memory and pins, training is the same for the same seed and pays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from data.sharding.features import FEATURES
from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.table_law import law_tables
from data.sharding.tasks import BenchmarkTasks, problem_of
from models.sharding.auto_shard import AutoShard
from models.sharding.dream_shard import DreamShard
from models.sharding.partial_plans import PartialPlans
from runs.errors import ConfigError, SolverFailure
from solvers.base import Budget, Status
from solvers.policy_gradient.rollout import Rollouts
from solvers.sharding.auto_shard import AutoShardTraining
from solvers.sharding.dream_shard import DreamShardTraining
from solvers.sharding.greedy import Greedy
from solvers.sharding.placement import LearnedPlacement, Placed, PlacementPolicy, Placements, Tasks, policy_of
from solvers.sharding.training import finite

POOL = law_tables(80, seed=11)
EVER = Budget(seconds=600)
AUTO = {"unroll": 20, "episodes": 4, "cost_updates": 2, "cost_batch": 64}
DREAM = {"rounds": 3, "plans": 5, "cost_steps": 40, "batches": 4, "episodes": 6}


def task(seed: int, gib: float = 4, devices: int = 3) -> ShardingProblem:
    draw = BenchmarkTasks(6, 12, total_gib=gib).draw(POOL, 4, np.random.default_rng(seed))
    return problem_of(draw, POOL, [int(gib * GIB)] * devices, gpu11(), f"task{seed}")


TASKS = [task(seed) for seed in range(8)]


def by_rule(rule: Callable[[Any], Tensor]) -> Any:
    """A network without weights: the logits of devices are a rule's."""

    class Rule(torch.nn.Module):
        def forward(self, features: Tensor, plans: PartialPlans, begins: Tensor, memory: Any) -> tuple[Any, ...]:
            logits = rule(plans).masked_fill(~plans.legal, -torch.inf)
            return logits, logits.new_zeros(begins.shape), None

        def single_costs(self, features: Tensor) -> Tensor:
            return features[:, FEATURES["sized"].index("gib")]

    return Rule()


def solve(policy: Any, problem: ShardingProblem, budget: Budget = EVER) -> Any:
    return LearnedPlacement().solve(problem, budget=budget, scorer=policy, rng=np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(4))
def test_the_least_used_device_is_greedy_by_size(seed: int) -> None:
    problem = task(seed)
    found = solve(PlacementPolicy(by_rule(lambda plans: -plans.gib), "sized", 3, 0), problem)
    greedy = Greedy("size").solve(problem, budget=EVER, rng=np.random.default_rng(0))
    assert found.objective == pytest.approx(greedy.objective, rel=1e-12)
    assert found.status == Status.FEASIBLE
    assert found.trace.evaluations[-1] == 3 * len(problem.dims)


def test_no_episode_breaks_memory_or_pins() -> None:
    problems = [replace(problem, memory=np.full(3, int(1.5 * problem.dims @ problem.column_bytes) // 3),
                        pinned=np.where(np.arange(len(problem.dims)) == 2, 1, -1)) for problem in TASKS]  # fmt: skip
    tasks, ended = Tasks(problems, "sized"), []
    rng = np.random.default_rng(0)
    network = by_rule(lambda plans: torch.zeros(plans.legal.shape))
    environment = Placements(
        tasks, lambda: int(rng.integers(8)), network.single_costs, lambda placed: ended.append(placed) or 0.0, 5
    )
    Rollouts(environment, policy_of(network, tasks.features), torch.Generator().manual_seed(0)).unroll(200)
    whole = [placed for placed in ended if placed.whole]
    assert len(whole) > 20
    for placed in whole:
        assert problems[placed.task].is_feasible(Plan((), tuple(placed.devices.tolist())).array())
    assert len(whole) < len(ended), "some episodes end with tables left over"
    for placed in ended:
        assert placed.devices[2] in (1, -1)


def test_a_table_that_fits_nowhere_leaves_no_plan() -> None:
    problem = replace(TASKS[0], memory=np.full(3, int(TASKS[0].dims @ TASKS[0].column_bytes) // 3 + 1))
    found = solve(PlacementPolicy(by_rule(lambda plans: torch.zeros(plans.legal.shape)), "sized", 3, 0), problem)
    assert found.assignment is None
    assert found.status == Status.NO_SOLUTION


def test_a_spent_budget_leaves_no_plan() -> None:
    policy = PlacementPolicy(by_rule(lambda plans: -plans.gib), "sized", 3, 0)
    assert solve(policy, TASKS[0], Budget(evaluations=6)).assignment is None


def test_a_task_of_other_devices_or_no_policy_is_refused() -> None:
    policy = PlacementPolicy(by_rule(lambda plans: -plans.gib), "sized", 4, 0)
    with pytest.raises(ConfigError, match="has learned on 4 devices, and the task has 3"):
        solve(policy, TASKS[0])
    with pytest.raises(ConfigError, match="model=sharding/auto_shard"):
        solve(None, TASKS[0])


def trained(kind: str, seed: int = 0, **settings: Any) -> tuple[Any, int]:
    tasks = Tasks(TASKS, "log")
    torch.manual_seed(seed)
    network: Any = (AutoShard if kind == "auto" else DreamShard)(tasks.features.shape[1])
    training: Any = (
        AutoShardTraining(**{**AUTO, **settings}) if kind == "auto" else DreamShardTraining(**{**DREAM, **settings})
    )
    return network, training.train(network, tasks, seed)


@pytest.mark.parametrize(
    ("kind", "settings"), [("auto", {"steps": 80}), ("dream", {"rounds": 1, "cost_steps": 5, "batches": 1})]
)
def test_the_same_seed_trains_the_same_network(kind: str, settings: dict[str, int]) -> None:
    (first, measured), (second, again), (other, _) = (trained(kind, seed, **settings) for seed in (0, 0, 1))
    assert measured == again > 0
    weights, same, different = (network.state_dict() for network in (first, second, other))
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert any(not torch.equal(weights[name], different[name]) for name in weights)


def test_dream_shard_measures_the_plans_that_it_was_given_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = ShardingProblem.costs
    monkeypatch.setattr(ShardingProblem, "costs", lambda self, plan: (asked.append(1), real(self, plan))[1])
    _, measured = trained("dream", rounds=2, cost_steps=2, batches=1)
    assert measured == len(asked) == 2 * DREAM["plans"]


def test_nothing_that_fits_is_told() -> None:
    tight = [
        replace(problem, memory=np.full(3, int(problem.dims @ problem.column_bytes) // 3 + 1)) for problem in TASKS
    ]
    tasks = Tasks(tight, "log")
    with pytest.raises(SolverFailure, match="none of its first plans fits"):
        DreamShardTraining(**DREAM).train(DreamShard(tasks.features.shape[1]), tasks, 0)


def test_what_is_no_number_ends_the_training() -> None:
    tasks = Tasks(TASKS, "log")
    tasks.features[:] = torch.nan
    with pytest.raises(SolverFailure, match="logits of the policy are no numbers"):
        AutoShardTraining(steps=80, **AUTO).train(AutoShard(tasks.features.shape[1]), tasks, 0)
    with pytest.raises(SolverFailure, match=r"loss of update 7 is inf; lower model\.training\.learning_rate"):
        finite(torch.tensor(torch.inf), "AutoShard", 7)


def test_measured_shards_are_those_of_the_plan() -> None:
    tasks = Tasks(TASKS, "log")
    devices = np.arange(len(TASKS[3].dims)) % 2
    shards = tasks.shards(Placed(3, devices))
    rows = tasks.pieces[3]
    for device in range(2):
        assert [row for row in shards[device] if row >= 0] == rows[np.flatnonzero(devices == device)].tolist()
    assert (shards[2] == -1).all()
    assert torch.equal(tasks.of(3), tasks.features[rows[: len(devices)]])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "settings"), [("auto", {"steps": 8000}), ("dream", {"batches": 30})])
def test_training_makes_plans_cheaper_than_random_ones(kind: str, settings: dict[str, int]) -> None:
    network, measured = trained(kind, **settings)
    policy = PlacementPolicy(network, "log", 3, measured)
    ratios = []
    for seed in range(100, 112):
        problem = task(seed)
        drawn = Greedy("random").solve(problem, budget=EVER, rng=np.random.default_rng(seed)).objective
        ratios.append(np.log(solve(policy, problem).objective / drawn))
    assert np.nanmean(ratios) < 0
