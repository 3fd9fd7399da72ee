"""Placing tables one after the other: the environment in which policies learn it, and a learned policy as a solver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from data.sharding.features import piece_features
from data.sharding.plan import Plan
from data.sharding.problem import ANYWHERE, GIB, ShardingProblem
from models.sharding.partial_plans import NOWHERE, PartialPlans
from runs.errors import ConfigError
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Meter, Solution
from solvers.policy_gradient.environment import Decision, Policy, Turn
from solvers.policy_gradient.rollout import Rollouts
from solvers.sharding.answer import answer


class PlacementNetwork(Protocol):
    """A network that places tables: :class:`models.sharding.auto_shard.AutoShard` and its like."""

    def __call__(
        self, features: Tensor, plans: PartialPlans, begins: Tensor, memory: Any
    ) -> tuple[Tensor, Tensor, Any]:
        """Logits, values and memory."""

    def single_costs(self, features: Float[Tensor, "kinds features"]) -> Float[Tensor, " kinds"]:
        """What each table costs alone: the dearest is placed first."""


class Placed(NamedTuple):
    """An episode that has ended.

    Parameters
    ----------
    task
        Number of its task.
    devices
        (tables,) -1 for a table that fitted nowhere.
    """

    task: int
    devices: Int[np.ndarray, " tables"]

    @property
    def whole(self) -> bool:
        """Whether every table has a device."""
        return bool((self.devices != NOWHERE).all())


class Tasks:
    """Some tasks with the same number of devices, their tables one after the other in one matrix of features.

    Parameters
    ----------
    problems
        At least one.
    kind
        Of features, see :data:`data.sharding.features.FEATURES`.
    """

    def __init__(self, problems: Sequence[ShardingProblem], kind: str) -> None:
        self.problems, self.devices = problems, problems[0].devices
        self.counts = np.array([len(problem.dims) for problem in problems])
        self.features = torch.from_numpy(
            np.concatenate([piece_features(p.tables, np.arange(len(p.dims)), p.dims, kind) for p in problems])
        ).float()
        first, most = np.cumsum(self.counts) - self.counts, self.counts.max()
        self.pieces = np.where(np.arange(most) < self.counts[:, None], first[:, None] + np.arange(most), NOWHERE)
        self.bytes = self._padded([problem.column_bytes * problem.dims for problem in problems])
        pinned = [np.full(len(p.dims), ANYWHERE) if p.pinned is None else p.pinned for p in problems]
        self.pinned, self.memory = self._padded(pinned), np.stack([problem.memory for problem in problems])

    def shards(self, placed: Placed) -> Int[np.ndarray, "devices most"]:
        """What each device holds, by rows of the features, filled up by -1."""
        row = self.pieces[placed.task][: len(placed.devices)]
        found = np.full((self.devices, self.pieces.shape[1]), NOWHERE)
        for device in range(self.devices):
            held = row[placed.devices == device]
            found[device, : len(held)] = held
        return found

    def of(self, task: int) -> Tensor:
        """The features of a task's tables."""
        return self.features[self.pieces[task][: self.counts[task]]]

    def _padded(self, values: Sequence[Int[np.ndarray, " tables"]]) -> Int[np.ndarray, "tasks most"]:
        found = np.zeros(self.pieces.shape, np.int64)
        for row, value in zip(found, values, strict=True):
            row[: len(value)] = value
        return found


class Placements:
    """An environment: in each episode the tables of a task, the dearest first, each to a device with room.

    A table that fits nowhere is left over, whatever the action.

    Parameters
    ----------
    tasks
        Of the episodes.
    choose
        The task of an episode that begins.
    single_costs
        By which tables are ordered, asked where an episode begins.
    reward
        Of an episode that has ended; all steps before have none.
    episodes
        Side by side.
    """

    def __init__(
        self,
        tasks: Tasks,
        choose: Callable[[], int],
        single_costs: Callable[[Tensor], Tensor],
        reward: Callable[[Placed], float],
        episodes: int,
    ) -> None:
        self.tasks, self.choose, self.single_costs, self.reward = tasks, choose, single_costs, reward
        most = tasks.pieces.shape[1]
        self.task, self.position = np.zeros(episodes, np.int64), np.zeros(episodes, np.int64)
        self.order = np.zeros((episodes, most), np.int64)
        self.device = np.full((episodes, most), NOWHERE)
        self.used = np.zeros((episodes, tasks.devices), np.int64)

    def reset(self) -> PartialPlans:
        """New episodes."""
        for episode in range(len(self.task)):
            self._begin(episode)
        return self._observation()

    def step(self, actions: Int[Tensor, " episodes"]) -> Turn:
        """Place the next table of each episode."""
        episode, chosen, table = np.arange(len(self.task)), actions.numpy(), self._table()
        fits = self._room()[episode, chosen]
        self.device[episode, table] = np.where(fits, chosen, NOWHERE)
        self.used[episode, chosen] += np.where(fits, self.tasks.bytes[self.task, table], 0)
        self.position += 1
        ended = self.position == self.tasks.counts[self.task]
        reward = np.zeros(len(ended), np.float32)
        for i in np.flatnonzero(ended):
            task = int(self.task[i])
            reward[i] = self.reward(Placed(task, self.device[i, : self.tasks.counts[task]].copy()))
            self._begin(int(i))
        return Turn(self._observation(), torch.from_numpy(reward), torch.from_numpy(ended))

    def _begin(self, episode: int) -> None:
        self.task[episode] = task = self.choose()
        with torch.no_grad():
            costs = self.single_costs(self.tasks.of(task)).numpy()
        self.order[episode, : len(costs)] = np.argsort(-costs, kind="stable")
        self.position[episode], self.device[episode], self.used[episode] = 0, NOWHERE, 0

    def _table(self) -> Int[np.ndarray, " episodes"]:
        return self.order[np.arange(len(self.task)), self.position]

    def _room(self) -> Bool[np.ndarray, "episodes devices"]:
        """Where the next table fits."""
        table, tasks = self._table(), self.tasks
        pinned = tasks.pinned[self.task, table][:, None]
        fits = self.used + tasks.bytes[self.task, table][:, None] <= tasks.memory[self.task]
        return fits & ((pinned == ANYWHERE) | (pinned == np.arange(tasks.devices)))

    def _observation(self) -> PartialPlans:
        legal = self._room()
        legal[:, 0] |= ~legal.any(axis=1)  # one way of leaving it over, so that nothing is learned from it
        progress = self.position / self.tasks.counts[self.task]
        return PartialPlans(
            torch.from_numpy(self.tasks.pieces[self.task]),
            torch.from_numpy(self.device.copy()),
            torch.from_numpy(self._table()),
            torch.from_numpy(progress).float(),
            torch.from_numpy(self.used / GIB).float(),
            torch.from_numpy(legal),
        )


def policy_of(network: PlacementNetwork, features: Float[Tensor, "kinds features"]) -> Policy:
    """The policy that a network is on tables with these features."""
    return lambda plans, begins, memory: Decision(*network(features, plans, begins, memory))


class PlacementPolicy:
    """A learned network, to place tables of any task with the number of devices that it has learned on.

    Parameters
    ----------
    network
        Trained.
    kind
        Of the features that it sees.
    devices
        That it has learned on.
    measured_plans
        How many plans were priced by the oracle in its training.
    """

    def __init__(self, network: PlacementNetwork, kind: str, devices: int, measured_plans: int) -> None:
        self.network, self.kind, self.devices, self.measured_plans = network, kind, devices, measured_plans

    def place(self, problem: ShardingProblem, meter: Meter) -> Plan | None:
        """A device for every table, always the most probable; None where one fits nowhere or the budget is spent."""
        tasks, found = Tasks([problem], self.kind), []

        def ended(placed: Placed) -> float:
            found.append(placed)
            return 0.0

        environment = Placements(tasks, lambda: 0, self.network.single_costs, ended, episodes=1)
        rollouts = Rollouts(environment, policy_of(self.network, tasks.features), generator=None)
        while not found:
            if meter.exhausted:
                return None
            rollouts.unroll(1)
            meter.evaluations += problem.devices
        return Plan((), tuple(found[0].devices.tolist())) if found[0].whole else None


class LearnedPlacement:
    """Tables one after the other, each where a learned policy puts it; nothing is split, nothing is searched."""

    def solve(
        self,
        problem: ShardingProblem,
        *,
        budget: Budget,
        scorer: PlacementPolicy | None = None,
        initial: Int[np.ndarray, " length"] | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Place every table once; an evaluation is one shard priced by the policy's own cost model.

        Raises
        ------
        ConfigError
            There is no policy, or it is for another number of devices.
        """
        if not isinstance(scorer, PlacementPolicy):
            raise ConfigError(
                "this solver places by a learned policy; choose one with model=sharding/auto_shard or "
                "model=sharding/dream_shard"
            )
        if scorer.devices != problem.devices:
            raise ConfigError(
                f"the policy has learned on {scorer.devices} devices, and the task has {problem.devices}; train one for "
                "that number"
            )
        problem.validate()
        meter = budget.start()
        return answer(problem, scorer.place(problem, meter), meter)
