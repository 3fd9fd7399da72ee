"""How AutoShard learns: V-trace on the balance of measured plans, its cost model beside it
(docs/papers/neuroshard.md#3.7)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from data.sharding.plan import Pieces
from models.sharding.auto_shard import AutoShard
from runs import interrupt
from runs.errors import at_least
from solvers.policy_gradient.losses import v_trace_loss
from solvers.policy_gradient.replay import Replay
from solvers.policy_gradient.rollout import Rollouts
from solvers.sharding.placement import Placed, Placements, Tasks, policy_of
from solvers.sharding.training import finite


class AutoShardTraining:
    """The reward of an episode is the computation of the least loaded device over that of the most loaded, as measured; of
    one that leaves tables over, minus their share of all bytes.

    Parameters
    ----------
    steps
        Tables placed in all.
    unroll, episodes
        Steps and episodes of an update.
    learning_rate
        Of Adam at the beginning; falls to 0 in a line.
    entropy, value
        Weights of the losses.
    clip
        Largest norm of a gradient.
    cost_updates, cost_batch
        Steps of the cost model after each update, and shards in a step.
    memory
        Measured shards that are kept.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    def __init__(
        self,
        steps: int = 100_000,
        unroll: int = 100,
        episodes: int = 8,
        learning_rate: float = 1e-3,
        entropy: float = 0.001,
        value: float = 0.5,
        clip: float = 40.0,
        cost_updates: int = 20,
        cost_batch: int = 512,
        memory: int = 5000,
    ) -> None:
        at_least("model.training.", steps=(steps, 1), unroll=(unroll, 1), episodes=(episodes, 1), memory=(memory, 1))
        at_least("model.training.", cost_updates=(cost_updates, 0), cost_batch=(cost_batch, 1))
        self.updates = -(-steps // (unroll * episodes))
        self.unroll, self.episodes, self.learning_rate = unroll, episodes, learning_rate
        self.entropy, self.value, self.clip = entropy, value, clip
        self.cost_updates, self.cost_batch, self.memory = cost_updates, cost_batch, memory

    def train(self, network: AutoShard, tasks: Tasks, seed: int) -> int:
        """Train a network in place; how many plans were measured."""
        network.costs.standardize.fit(tasks.features)
        rng = np.random.default_rng([seed, 0])
        measured = _Measured(tasks, self.memory)
        environment = Placements(
            tasks, lambda: int(rng.integers(len(tasks.problems))), network.single_costs, measured.reward, self.episodes
        )
        policy = policy_of(network, tasks.features)
        rollouts = Rollouts(environment, policy, torch.Generator().manual_seed(seed))
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda update: 1 - update / self.updates)
        for update in range(self.updates):
            interrupt.check()
            rollout = rollouts.unroll(self.unroll)
            loss = v_trace_loss(policy, rollout, value=self.value, entropy=self.entropy)
            self._step(network, optimizer, loss, update)
            schedule.step()
            for _ in range(self.cost_updates if len(measured.shards) else 0):
                shards, cost = measured.shards.draw(self.cost_batch, rng)
                self._step(network, optimizer, _cost_loss(network, tasks.features, shards, cost), update)
        return measured.plans

    def _step(self, network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, update: int) -> None:
        optimizer.zero_grad()
        finite(loss, "AutoShard", update).backward()
        nn.utils.clip_grad_norm_(network.parameters(), self.clip)
        optimizer.step()


class _Measured:
    """Plans that were priced, as rewards and as shards to learn from."""

    def __init__(self, tasks: Tasks, memory: int) -> None:
        self.tasks, self.shards, self.plans = tasks, Replay(memory), 0

    def reward(self, placed: Placed) -> float:
        """Measure a plan."""
        problem = self.tasks.problems[placed.task]
        if not placed.whole:
            size = problem.column_bytes * problem.dims
            return -float(size[placed.devices < 0].sum() / size.sum())
        pieces = Pieces(np.arange(len(problem.dims)), problem.dims, placed.devices)
        compute = problem.oracle.compute(problem.tables, pieces, problem.devices, problem.devices)
        self.plans += 1
        for shard, cost in zip(self.tasks.shards(placed), compute, strict=True):
            if cost > 0:
                self.shards.add(shard, cost)
        return float(compute.min() / compute.max())


def _cost_loss(network: AutoShard, features: Tensor, shards: np.ndarray, cost: np.ndarray) -> Tensor:
    """Mean squared error of predicted computation."""
    predicted = network.costs(features, torch.from_numpy(shards))
    return (predicted - torch.from_numpy(cost).float()).square().mean()
