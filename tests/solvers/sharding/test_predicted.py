"""The search on networks: a short training is near the search on the device itself, and an untrained network is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data.sharding.features import piece_features
from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.samples import communication_samples, shard_samples
from data.sharding.table_law import law_tables
from data.sharding.tasks import BenchmarkTasks, problem_of
from models.sharding.communication import CommunicationCost
from models.sharding.compute import ComputeCost
from runs.errors import ConfigError
from solvers.base import Budget
from solvers.sharding.neuroshard import NeuroShard
from solvers.sharding.predicted import PredictedCosts

POOL, DEVICE = law_tables(150, seed=4), gpu11()
SAMPLES = 3000


def fitted(network: nn.Module, loss: Callable[[Tensor], Tensor], epochs: int) -> None:
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(SAMPLES).split(256):
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()
        schedule.step()


def costs(epochs: int) -> PredictedCosts:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pieces = shard_samples(POOL, SAMPLES, rng)
    features = torch.tensor(piece_features(POOL, pieces.table, pieces.dim, "log")).float()
    target = torch.tensor(DEVICE.compute(POOL, pieces, SAMPLES, SAMPLES)).float()
    compute = ComputeCost(features.shape[1])
    compute.standardize.fit(features)
    first = np.searchsorted(pieces.shard, np.arange(SAMPLES + 1))

    def computing(batch: Tensor) -> Tensor:
        places = np.concatenate([np.arange(first[i], first[i + 1]) for i in batch.tolist()])
        shard = torch.tensor(np.repeat(np.arange(len(batch)), np.diff(first)[batch]))
        return nn.functional.mse_loss(compute(features[places], shard, len(batch)), target[batch])

    sums, start = (torch.tensor(x).float() for x in communication_samples(4, SAMPLES, rng))
    backward = CommunicationCost(4, starts=False, ordered=True)
    forward = CommunicationCost(4, starts=True, ordered=True)
    backward.standardize.fit(backward.inputs(sums))
    forward.standardize.fit(forward.inputs(sums, start))
    sent = torch.tensor(DEVICE.backward_communication(POOL, sums.double().numpy())).float()
    received = torch.tensor(DEVICE.forward_communication(POOL, sums.double().numpy(), start.double().numpy())).float()
    fitted(compute, computing, epochs)
    fitted(backward, lambda b: nn.functional.mse_loss(backward(sums[b]), sent[b]), epochs)
    fitted(forward, lambda b: nn.functional.mse_loss(forward(sums[b], start[b]), received[b]), epochs)
    return PredictedCosts(compute, backward, forward, "log")


def task(seed: int) -> ShardingProblem:
    draw = BenchmarkTasks(10, 25).draw(POOL, 4, np.random.default_rng(1000 + seed))
    return problem_of(draw, POOL, [4 * GIB] * 4, DEVICE, f"task{seed}")


def ratio(model: PredictedCosts) -> float:
    """Of costs on the device: searched on the model, over searched on the device."""
    found = []
    for seed in range(8):
        options = {"budget": Budget(seconds=60), "rng": np.random.default_rng(0)}
        ours = NeuroShard(levels=3).solve(task(seed), scorer=model, **options)
        theirs = NeuroShard(levels=3, on_oracle=True).solve(task(seed), **options)
        if ours.feasible and theirs.feasible:
            found.append(ours.objective / theirs.objective)
    return float(np.exp(np.mean(np.log(found))))


def test_a_trained_network_is_nearly_as_good_as_the_device_and_an_untrained_one_is_not() -> None:
    trained, untrained = ratio(costs(30)), ratio(costs(0))
    assert trained < 1.08
    assert untrained > trained + 0.05


def test_predictions_of_a_plan_are_those_of_its_shards_and_empty_ones_cost_nothing() -> None:
    model = costs(0)
    problem = task(0)
    plan = Plan((), tuple(i % 2 for i in range(len(problem.dims))))
    found = model.price(problem.tables, problem.pieces(plan), 4)
    assert (found.compute[0, 2:] == 0).all()
    chosen = np.flatnonzero(np.array(plan.devices) == 1)
    features = torch.tensor(piece_features(problem.tables, chosen, problem.dims[chosen], "log"))
    alone = model.pieces(features, torch.zeros(len(chosen), dtype=torch.long), 1)
    assert found.compute[0, 1] == pytest.approx(float(alone))


def test_networks_of_another_number_of_devices_are_refused() -> None:
    problem = task(0)
    other = ShardingProblem("eight", problem.tables, problem.dims, np.full(8, 4 * GIB), DEVICE)
    with pytest.raises(ConfigError, match="the communication network is for 4 devices, and the task has 8"):
        NeuroShard().solve(other, budget=Budget(seconds=1), scorer=costs(0), rng=np.random.default_rng(0))
