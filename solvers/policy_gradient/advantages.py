"""How much better actions were than expected, from rewards and expected returns.

Arrays are (steps, episodes). ``following`` is the value of what follows the last step; where an episode has ended nothing
of what follows counts.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def returns(
    rewards: Float[Tensor, "steps episodes"],
    ended: Bool[Tensor, "steps episodes"],
    following: Float[Tensor, " episodes"],
    discount: float = 1.0,
) -> Float[Tensor, "steps episodes"]:
    """Discounted sums of the rewards from each step on."""
    return _backwards(rewards, discount * (~ended).to(rewards), following)


def gae(
    rewards: Float[Tensor, "steps episodes"],
    values: Float[Tensor, "steps episodes"],
    following: Float[Tensor, " episodes"],
    ended: Bool[Tensor, "steps episodes"],
    discount: float,
    decay: float,
) -> Float[Tensor, "steps episodes"]:
    """Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438, equation 16).

    ``decay`` is lambda: 0 trusts the values after one step, 1 sums all rewards.
    """
    kept = discount * (~ended).to(rewards)
    errors = rewards + kept * _next(values, following) - values
    return _backwards(errors, decay * kept, torch.zeros_like(following))


class VTrace(NamedTuple):
    """What values and policy are corrected by.

    Parameters
    ----------
    targets
        (steps, episodes) what the values should have been.
    advantages
        (steps, episodes) of the actions, weighted by how much likelier the learning policy takes them.
    """

    targets: Float[Tensor, "steps episodes"]
    advantages: Float[Tensor, "steps episodes"]


def v_trace(
    log_ratios: Float[Tensor, "steps episodes"],
    rewards: Float[Tensor, "steps episodes"],
    values: Float[Tensor, "steps episodes"],
    following: Float[Tensor, " episodes"],
    ended: Bool[Tensor, "steps episodes"],
    discount: float,
    most: float = 1.0,
) -> VTrace:
    """V-trace of IMPALA (Espeholt et al. 2018, arXiv 1802.01561, equations 1 and 2).

    Parameters
    ----------
    log_ratios
        Logarithm of the learning policy's probability of an action over that of the policy which took it.
    most
        Where ratios are cut, rho bar; the traces c are cut at 1.
    """
    ratios = log_ratios.exp()
    kept, weights = discount * (~ended).to(rewards), ratios.clamp(max=most)
    errors = weights * (rewards + kept * _next(values, following) - values)
    targets = values + _backwards(errors, kept * ratios.clamp(max=1.0), torch.zeros_like(following))
    return VTrace(targets, weights * (rewards + kept * _next(targets, following) - values))


def _next(values: Float[Tensor, "steps episodes"], following: Float[Tensor, " episodes"]) -> Tensor:
    return torch.cat([values[1:], following[None]])


def _backwards(
    terms: Float[Tensor, "steps episodes"], factors: Float[Tensor, "steps episodes"], last: Float[Tensor, " episodes"]
) -> Float[Tensor, "steps episodes"]:
    """x_t = terms_t + factors_t x_(t+1)."""
    found = []
    for term, factor in zip(terms.flip(0), factors.flip(0), strict=True):
        last = term + factor * last
        found.append(last)
    return torch.stack(found[::-1])
