"""Losses whose gradients are policy gradients."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Categorical

from solvers.policy_gradient.advantages import returns, v_trace
from solvers.policy_gradient.environment import Policy
from solvers.policy_gradient.rollout import Rollout

SMALL = 1e-8


def reinforce_loss(
    policy: Policy, rollout: Rollout, discount: float = 1.0, entropy: float = 0.0, normalise: bool = True
) -> Float[Tensor, ""]:
    """REINFORCE (Williams 1992): ``-G log p(a)`` less ``entropy`` times that of the policy, mean over all steps.

    The rollout holds whole episodes. ``normalise`` brings their returns G to mean 0 and deviation 1.
    """
    decided = policy(rollout.before, rollout.begins[:-1], rollout.memory)
    distribution = Categorical(logits=decided.logits, validate_args=False)
    gained = returns(rollout.rewards, rollout.ended, torch.zeros_like(rollout.rewards[0]), discount)
    if normalise:
        gained = (gained - gained.mean()) / (gained.std() + SMALL)
    return -(gained * distribution.log_prob(rollout.actions) + entropy * distribution.entropy()).mean()


def v_trace_loss(
    policy: Policy, rollout: Rollout, discount: float = 1.0, value: float = 0.5, entropy: float = 0.0
) -> Float[Tensor, ""]:
    """Actor and critic by V-trace: ``-A log p(a) + value (v - V)^2 / 2`` less ``entropy`` times that of the policy.

    Summed over all steps, as in IMPALA's code.
    """
    decided = policy(rollout.observations, rollout.begins, rollout.memory)
    distribution = Categorical(logits=decided.logits[:-1], validate_args=False)
    log_probabilities, values = distribution.log_prob(rollout.actions), decided.values[:-1]
    with torch.no_grad():
        corrected = v_trace(
            log_probabilities - rollout.log_probabilities,
            rollout.rewards,
            values,
            decided.values[-1],
            rollout.ended,
            discount,
        )
    actor = -(corrected.advantages * log_probabilities).sum()
    critic = 0.5 * (corrected.targets - values).square().sum()
    return actor + value * critic - entropy * distribution.entropy().sum()
