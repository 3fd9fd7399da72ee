"""How DreamShard learns: a few measured plans teach a cost model, and that teaches the policy
(docs/papers/neuroshard.md#3.7)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from data.sharding.plan import Plan
from models.sharding.dream_shard import DreamShard
from models.sharding.partial_plans import encodings
from runs import interrupt
from runs.errors import SolverFailure, at_least
from solvers.policy_gradient.losses import reinforce_loss
from solvers.policy_gradient.replay import Replay
from solvers.policy_gradient.rollout import Rollout, Rollouts
from solvers.sharding.placement import Placed, Placements, Tasks, policy_of
from solvers.sharding.training import finite

MOST_TRIES = 10
"""Plans that are drawn at most for each that is measured: some leave tables over."""


class DreamShardTraining:
    """In each round the policy's own plans are measured, the cost model learns from all so far, and REINFORCE improves the
    policy on predicted costs. An episode that leaves tables over is worth what all tables on one device are predicted to
    cost.

    Parameters
    ----------
    rounds
        How many.
    plans
        Measured in each.
    cost_steps, cost_batch
        Steps of the cost model in each, and plans, and as many shards, in a step.
    batches, episodes
        Updates of the policy in each, and episodes of one task in an update.
    learning_rate
        Of Adam in the first round; falls in a line.
    entropy
        Weight of the policy's entropy.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    def __init__(
        self,
        rounds: int = 10,
        plans: int = 10,
        cost_steps: int = 300,
        cost_batch: int = 64,
        batches: int = 10,
        episodes: int = 10,
        learning_rate: float = 5e-4,
        entropy: float = 0.001,
    ) -> None:
        at_least("model.training.", rounds=(rounds, 1), plans=(plans, 1), cost_steps=(cost_steps, 0))
        at_least("model.training.", cost_batch=(cost_batch, 1), batches=(batches, 0), episodes=(episodes, 2))
        self.rounds, self.plans, self.batches, self.episodes = rounds, plans, batches, episodes
        self.cost_steps, self.cost_batch = cost_steps, cost_batch
        self.learning_rate, self.entropy = learning_rate, entropy

    def train(self, network: DreamShard, tasks: Tasks, seed: int) -> int:
        """Train a network in place; how many plans were measured.

        Raises
        ------
        SolverFailure
            No plan of the policy fits.
        """
        network.costs.standardize.fit(tasks.features)
        training = _Training(self, network, tasks, seed)
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda number: 1 - number / self.rounds)
        for number in range(self.rounds):
            training.measure()
            for _ in range(self.cost_steps):
                _step(optimizer, training.cost_loss(), number)
            for _ in range(self.batches):
                _step(optimizer, training.policy_loss(), number)
            schedule.step()
        return training.measured


class _Training:
    """One training: what was measured, and the losses that follow."""

    def __init__(self, settings: DreamShardTraining, network: DreamShard, tasks: Tasks, seed: int) -> None:
        self.settings, self.network, self.tasks = settings, network, tasks
        self.rng = np.random.default_rng([seed, 0])
        self.generator = torch.Generator().manual_seed(seed)
        self.plans, self.shards = Replay(), Replay()
        self.policy = policy_of(network, tasks.features)

    @property
    def measured(self) -> int:
        """How many plans."""
        return len(self.plans)

    def measure(self) -> None:
        """Price some plans of the policy."""
        wanted = self.measured + self.settings.plans
        for _ in range(MOST_TRIES * self.settings.plans):
            _, (placed, *_) = self._play(1)
            if placed.whole:
                problem = self.tasks.problems[placed.task]
                costs = problem.costs(Plan((), tuple(placed.devices.tolist())))
                shards = self.tasks.shards(placed)
                parts = np.stack([costs.compute[0], costs.backward[0], costs.forward[0]], axis=1)
                self.plans.add(shards, costs.plan[0])
                for shard, part in zip(shards, parts, strict=True):
                    self.shards.add(shard, part)
            if self.measured == wanted:
                return
        if not self.measured:
            raise SolverFailure(
                "DreamShard: none of its first plans fits into memory, so there is nothing to learn costs from; give "
                "data.memory_gib more, or smaller tasks"
            )

    def cost_loss(self) -> Tensor:
        """Squared errors of the three costs of shards and of those of plans, each a mean, added up."""
        costs, count = self.network.costs, self.settings.cost_batch
        plans, cost = self.plans.draw(count, self.rng)
        shards, parts = self.shards.draw(count, self.rng)
        overall = costs.plan(self._sums(plans)) - torch.from_numpy(cost).float()
        single = costs.parts(self._sums(shards)) - torch.from_numpy(parts).float()
        return overall.square().mean() + single.square().mean(0).sum()

    def policy_loss(self) -> Tensor:
        """REINFORCE on episodes of one task."""
        interrupt.check()
        rollout, _ = self._play(self.settings.episodes)
        return reinforce_loss(self.policy, rollout, entropy=self.settings.entropy)

    def _play(self, episodes: int) -> tuple[Rollout, list[Placed]]:
        """Whole episodes of a task that is drawn."""
        task, found = int(self.rng.integers(len(self.tasks.problems))), []

        def reward(placed: Placed) -> float:
            found.append(placed)
            return -self._predicted(placed)

        environment = Placements(self.tasks, lambda: task, self.network.single_costs, reward, episodes)
        rollout = Rollouts(environment, self.policy, self.generator).unroll(int(self.tasks.counts[task]))
        return rollout, found

    @torch.no_grad()
    def _predicted(self, placed: Placed) -> float:
        """ms of a plan."""
        devices = placed.devices if placed.whole else np.zeros_like(placed.devices)
        return float(self.network.costs.plan(self._sums(self.tasks.shards(Placed(placed.task, devices)))))

    def _sums(self, shards: np.ndarray) -> Tensor:
        return encodings(self.network.costs.encode, self.tasks.features, torch.from_numpy(shards)).sum(-2)


def _step(optimizer: torch.optim.Optimizer, loss: Tensor, number: int) -> None:
    optimizer.zero_grad()
    finite(loss, "DreamShard", number).backward()
    optimizer.step()
