"""The search on networks: a short training is near the search on the device itself, and an untrained network is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from data.regression.samples import SampleSource
from data.sharding.cost_samples import CommunicationCosts, ShardCosts
from data.sharding.features import names_of, piece_features
from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import Plan
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.table_law import law_tables
from data.sharding.tasks import BenchmarkTasks, problem_of
from models.regressor import Predictor
from models.sharding.communication import CommunicationCost
from models.sharding.compute import ComputeCost
from runs.errors import ConfigError
from solvers.base import Budget
from solvers.sharding.neuroshard import NeuroShard
from solvers.sharding.predicted import PredictedCosts

POOL, DEVICE = law_tables(150, seed=4), gpu11()
SAMPLES = 3000


def fitted(network: Predictor, source: SampleSource, epochs: int) -> None:
    samples = source.shard(0)
    count = len(samples)
    inputs = {name: torch.tensor(values) for name, values in samples.inputs.items()}
    inputs = {name: values.float() if values.is_floating_point() else values.long() for name, values in inputs.items()}
    shared = {name: torch.tensor(values).float() for name, values in source.shared().items()}
    targets = torch.tensor(samples.targets).float()
    network.fit_inputs(**shared, **inputs)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(epochs, 1))
    for _ in range(epochs):
        for batch in torch.randperm(count).split(256):
            optimizer.zero_grad()
            found = network(**shared, **{name: values[batch] for name, values in inputs.items()})
            nn.functional.mse_loss(found, targets[batch]).backward()
            optimizer.step()
        schedule.step()


def costs(epochs: int) -> PredictedCosts:
    torch.manual_seed(0)
    count = SAMPLES if epochs else 100
    compute = ComputeCost(names_of("log"))
    backward = CommunicationCost(4, starts=False, ordered=True)
    forward = CommunicationCost(4, starts=True, ordered=True)
    fitted(compute, ShardCosts(lambda: POOL, DEVICE, "log", per_shard=count), epochs)
    for direction, network in (("backward", backward), ("forward", forward)):
        fitted(network, CommunicationCosts(lambda: POOL, DEVICE, 4, direction, per_shard=count), epochs)
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
    with torch.no_grad():
        alone = model.pieces(features, torch.arange(len(chosen))[None])
    assert found.compute[0, 1] == pytest.approx(float(alone))


def test_networks_of_another_number_of_devices_are_refused() -> None:
    problem = task(0)
    other = ShardingProblem("eight", problem.tables, problem.dims, np.full(8, 4 * GIB), DEVICE)
    with pytest.raises(ConfigError, match="the communication network is for 4 devices, and the task has 8"):
        NeuroShard().solve(other, budget=Budget(seconds=1), scorer=costs(0), rng=np.random.default_rng(0))


def test_a_network_that_was_trained_on_other_features_or_another_order_is_refused() -> None:
    model = costs(0)
    names = names_of("log")
    for other in (names_of("authors"), names[1:] + names[:1]):
        with pytest.raises(ConfigError, match="the compute network was trained on the features"):
            PredictedCosts(ComputeCost(other), model.backward, model.forward, "log")
