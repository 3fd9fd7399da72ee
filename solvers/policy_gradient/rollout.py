"""Episodes as a policy plays them, cut into pieces of equal length."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.distributions import Categorical

from runs.errors import SolverFailure
from solvers.policy_gradient.environment import Environment, Policy


class Rollout(NamedTuple):
    """Some steps of several episodes; a further one may follow within.

    Parameters
    ----------
    observations
        A named tuple of (steps + 1, episodes, ...); the last is what follows.
    begins
        (steps + 1, episodes) whether an observation is the first of its episode.
    memory
        The policy's, before the first step.
    actions, rewards, ended
        (steps, episodes)
    log_probabilities
        (steps, episodes) of the actions, by the policy that took them.
    """

    observations: Any
    begins: Bool[Tensor, "steps+1 episodes"]
    memory: Any
    actions: Int[Tensor, "steps episodes"]
    rewards: Float[Tensor, "steps episodes"]
    ended: Bool[Tensor, "steps episodes"]
    log_probabilities: Float[Tensor, "steps episodes"]

    @property
    def before(self) -> Any:
        """The observations that were acted on."""
        return type(self.observations)(*(part[:-1] for part in self.observations))


class Rollouts:
    """Plays on where it stopped; the first piece begins with new episodes.

    Parameters
    ----------
    environment
        Of the episodes.
    policy
        Plays them.
    generator
        Of the actions; None takes the most probable.
    """

    def __init__(self, environment: Environment, policy: Policy, generator: torch.Generator | None) -> None:
        self.environment, self.policy, self.generator = environment, policy, generator
        self._observation: Any = None
        self._begins: Any = None
        self._memory: Any = None

    @torch.no_grad()
    def unroll(self, steps: int) -> Rollout:
        """The next steps of all episodes.

        Raises
        ------
        SolverFailure
            The policy's logits are no numbers.
        """
        if self._observation is None:
            self._observation = self.environment.reset()
            self._begins = torch.ones(len(self._observation[0]), dtype=torch.bool)
        seen, begins, taken = [self._observation], [self._begins], []
        memory = self._memory
        for _ in range(steps):
            sequence = type(self._observation)(*(part[None] for part in self._observation))
            decision = self.policy(sequence, self._begins[None], self._memory)
            if bool(decision.logits.isnan().any()):
                raise SolverFailure("the logits of the policy are no numbers; lower the learning rate")
            distribution = Categorical(logits=decision.logits[0], validate_args=False)
            action = self._choose(distribution)
            turn = self.environment.step(action)
            taken.append((action, turn.reward, turn.ended, distribution.log_prob(action)))
            self._observation, self._begins, self._memory = turn.observation, turn.ended, decision.memory
            seen.append(turn.observation)
            begins.append(turn.ended)
        stacked = type(self._observation)(*(torch.stack(parts) for parts in zip(*seen, strict=True)))
        actions, rewards, ended, log_probabilities = (torch.stack(parts) for parts in zip(*taken, strict=True))
        return Rollout(stacked, torch.stack(begins), memory, actions, rewards, ended, log_probabilities)

    def _choose(self, distribution: Categorical) -> Int[Tensor, " episodes"]:
        if self.generator is None:
            return distribution.probs.argmax(dim=1)
        return torch.multinomial(distribution.probs, 1, generator=self.generator)[:, 0]
