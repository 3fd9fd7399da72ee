"""Epochs of the network of computation: kinds of pieces encoded once a step, or lists (docs/papers/neuroshard.md#4.4)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.harness import Case, Target
from benchmarks.measure import CPU, WALL, Probe
from benchmarks.sharding_schemes import PerSample
from data.regression.module import TRAIN, Part, RegressionData
from data.regression.store import SampleStore
from data.sharding.cost_samples import ShardCosts
from data.sharding.features import names_of
from data.sharding.oracles.analytical import gpu11
from data.sharding.table_law import law_tables
from models.sharding.compute import ComputeCost

REPEATS = {"toy": 1, "small": 5, "paper": 5}
SAMPLES, TABLES = {"toy": 200, "small": 8_000, "paper": 32_000}, {"toy": 20, "small": 856, "paper": 856}
BATCH = {"toy": 32, "small": 512, "paper": 512}
LISTS, ALONE, ONCE = "lists of pieces", "lists, sample by sample", "kinds of pieces once (ours)"
QUARTER = 1 / 4


def cases(size: str) -> Iterator[Case]:
    """One epoch over random shards, from the same weights."""
    torch.set_num_threads(1)
    source = ShardCosts(partial(law_tables, TABLES[size], 0), gpu11())
    data = RegressionData(SampleStore(source, SAMPLES[size]))
    data.setup("fit")
    part = data.part(TRAIN)
    torch.manual_seed(0)
    network = ComputeCost(names_of("authors"))
    network.fit_inputs(part.shared["features"], part.inputs["pieces"])
    contenders = {name: partial(epoch, network, part, name, BATCH[size]) for name in (LISTS, ALONE, ONCE)}
    targets = [Target(ONCE, "epoch", unit, QUARTER) for unit in (WALL, CPU)]
    yield Case(f"{len(part):,} shards, batches of {BATCH[size]}", contenders, LISTS, targets)


def epoch(network: ComputeCost, part: Part, way: str, batch: int, probe: Probe) -> None:
    """All full batches once; the loss of the last is the same however they are computed."""
    network = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), fused=way == ONCE)
    predict = _way(network, part, way)
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(0)).tolist()
    loss = torch.tensor(0.0)
    with probe.during("epoch"):
        for start in range(0, len(order) - batch + 1, batch):
            samples = order[start : start + batch]
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(predict(samples), part.targets[torch.as_tensor(samples)])
            loss.backward()
            optimizer.step()
    probe.value("last loss", float(loss.detach()), "ms^2")


def _way(network: ComputeCost, part: Part, way: str) -> Callable[[list[int]], Tensor]:
    if way == ONCE:
        return lambda samples: network(**part.__getitems__(samples).inputs)
    shards = [places[places >= 0].tolist() for places in part.inputs["pieces"]]
    lists = PerSample(network, part.shared["features"], shards)
    return lists.together if way == LISTS else lists.one_by_one
