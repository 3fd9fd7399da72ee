"""Rollouts of the Bernoulli policy in LNS, and the schedule of learning from them (docs/papers/cl_lns.md#7.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.ilp.transitions import Trajectory
from runs import interrupt
from runs.errors import ConfigError
from solvers.lns.episode import Episode
from solvers.lns.scorers.bernoulli import BernoulliScorer


@dataclass(frozen=True)
class RolloutSchedule:
    """How much is rolled out, and how much is learned from it.

    Parameters
    ----------
    steps
        Of LNS in an episode.
    side_by_side
        Instances rolled out between two rounds of learning.
    updates
        Of actor and critic after them.
    batch_size
        Transitions in an update.
    memory
        Transitions kept.
    learning_rate
        Adam's, of both networks.
    seconds, nodes
        Limits of a sub-ILP; nodes do not depend on the machine. None: no limit.

    Raises
    ------
    ConfigError
        A number is out of its range.
    """

    steps: int
    side_by_side: int
    updates: int
    batch_size: int
    memory: int
    learning_rate: float
    seconds: float | None = 2.0
    nodes: int | None = None

    def __post_init__(self) -> None:
        least = {"steps": 2, "side_by_side": 1, "updates": 1, "batch_size": 1, "memory": 1}
        for name, bound in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or value != int(value) or value < bound:
                raise ConfigError(f"rollouts.{name} is {value}; expected a whole number, at least {bound}")
        for name in ("learning_rate", "seconds", "nodes"):
            value = getattr(self, name)
            if (value is None and name == "learning_rate") or (value is not None and not value > 0):
                raise ConfigError(f"rollouts.{name} is {value}; expected a number > 0")


def rollout(scorer: BernoulliScorer, episode: Episode, steps: int, rng: np.random.Generator) -> Trajectory:
    """``steps`` steps of ``episode`` with sets drawn from the policy; all randomness comes from ``rng``.

    ``scorer`` has been prepared for the episode's problem.

    Raises
    ------
    runs.interrupt.Interrupted
        A signal came between two steps.
    """
    candidates = np.zeros(episode.problem.n, bool)
    candidates[episode.candidates] = True
    seen, actions, rewards = [], [], []
    for _ in range(steps):
        interrupt.check()
        seen.append(episode.observation())
        probability = scorer.probabilities(seen[-1])
        actions.append(candidates & (rng.random(episode.problem.n) < probability))
        rewards.append(episode.step(actions[-1], rng))
    return Trajectory(
        scorer.matrix, scorer.static, candidates, np.stack(seen), np.stack(actions), np.array(rewards, np.float32)
    )
