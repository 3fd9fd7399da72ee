"""The graph networks of RL-LNS: a Bernoulli policy per variable and a critic of sets (docs/papers/cl_lns.md#7.2)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from data.ilp.rollout_state import OBSERVATION_WIDTH, RepeatedMatrix
from data.ilp.transitions import TransitionBatch

LEAST, SPAN = 0.2, 0.6
"""p = .2 + .6 sigmoid(.): never all variables or none."""


class GraphEncoder(nn.Module):
    """Two rounds of messages between variables and rows over the row-normalised matrix, with residual connections.

    With LN layer norms, W linear maps: ``c = tanh LN(A v)``, ``v' = v + tanh LN(A^T W c)``, ``c' = c + tanh LN(A W v')``,
    ``v'' = v' + tanh LN(A^T W c')``.

    Parameters
    ----------
    inputs
        Features of a variable.
    width
        Of every embedding.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.mix = nn.ModuleList(_glorot(nn.Linear(width, width)) for _ in range(3))
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        _orthogonal(self.embed)

    def forward(self, x: Float[Tensor, "variables inputs"], A: RepeatedMatrix) -> Float[Tensor, "variables width"]:
        """Embeddings of the variables."""
        v = self.embed(x)
        c = torch.tanh(self.norm[0](A.to_rows(v)))
        v = v + torch.tanh(self.norm[1](A.to_variables(self.mix[0](c))))
        c = c + torch.tanh(self.norm[2](A.to_rows(self.mix[1](v))))
        return v + torch.tanh(self.norm[3](A.to_variables(self.mix[2](c))))


class Actor(nn.Module):
    """Probability of each variable to be freed.

    Parameters
    ----------
    inputs, width
        As in :class:`GraphEncoder`; the head is 2 width - width - 1 (256-128-1).
    """

    def __init__(self, inputs: int = OBSERVATION_WIDTH, width: int = 128) -> None:
        super().__init__()
        self.encoder = GraphEncoder(inputs, width)
        first, second, last = nn.Linear(width, 2 * width), nn.Linear(2 * width, width), nn.Linear(width, 1)
        self.head = nn.Sequential(_glorot(first), nn.Tanh(), _glorot(second), nn.Tanh(), _glorot(last))

    def forward(self, x: Float[Tensor, "variables inputs"], A: RepeatedMatrix) -> Float[Tensor, " variables"]:
        """Probabilities in (.2, .8)."""
        return LEAST + SPAN * torch.sigmoid(self.head(self.encoder(x, A)).squeeze(1))


class Critic(nn.Module):
    """Q(s, a): the discounted rewards to come when the variables of ``a`` are freed.

    The action is one more feature of each variable; the head reads the mean over all variables beside the mean over the
    freed ones (0 where none is).

    Parameters
    ----------
    inputs, width
        As in :class:`Actor`, the action not counted.
    """

    def __init__(self, inputs: int = OBSERVATION_WIDTH, width: int = 128) -> None:
        super().__init__()
        self.encoder = GraphEncoder(inputs + 1, width)
        self.first, self.second = _orthogonal(nn.Linear(2 * width, 2 * width)), _orthogonal(nn.Linear(2 * width, width))
        self.last = _orthogonal(nn.Linear(width, 1))

    def forward(
        self, x: Float[Tensor, "variables inputs"], action: Bool[Tensor, " variables"], A: RepeatedMatrix
    ) -> Float[Tensor, " states"]:
        """Q of each state."""
        freed = action.to(x.dtype)[:, None]
        v = self.encoder(torch.cat([x, freed], 1), A)
        everything = A.of_states(v).mean(1)
        chosen = A.of_states(freed * v).sum(1) / A.of_states(freed).sum(1).clamp(min=1.0)
        return self.last(self.second(torch.tanh(self.first(torch.cat([everything, chosen], 1))))).squeeze(1)

    def decayed(self) -> list[Tensor]:
        """The matrices that the authors shrink: the embedding's and the head's, but for the output."""
        return [self.encoder.embed.weight, self.first.weight, self.second.weight]


class ActorCritic(nn.Module):
    """Actor, critic and the critic's slow copy.

    Parameters
    ----------
    width
        Of every embedding.
    """

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.actor, self.critic = Actor(width=width), Critic(width=width)
        self.target_critic = copy.deepcopy(self.critic).requires_grad_(False)

    def losses(self, batch: TransitionBatch, discount: float) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Of the actor, ``-Q(s, a) sum_j log p_j(a_j)``, and of the critic, ``(Q(s, a) - r - gamma Q'(s', a'))^2``.

        Means over the transitions. Variables that cannot be chosen have no part in the sum; the actor's loss has no
        gradient for the critic.
        """
        value = self.critic(batch.before, batch.action, batch.matrix)
        with torch.no_grad():
            following = self.target_critic(batch.after, batch.next_action, batch.matrix)
        critic_loss = (value - batch.reward - discount * following).square().mean()
        p = self.actor(batch.before, batch.matrix)
        taken = torch.where(batch.action, p, 1 - p).log().masked_fill(~batch.candidates, 0.0)
        actor_loss = -(value.detach() * batch.matrix.of_states(taken).sum(1)).mean()
        return actor_loss, critic_loss

    @torch.no_grad()
    def track(self, tau: float) -> None:
        """Move the critic's copy by ``tau`` towards the critic."""
        for slow, fast in zip(self.target_critic.parameters(), self.critic.parameters(), strict=True):
            slow.lerp_(fast, tau)

    def critic_groups(self, decay: float) -> Iterator[dict[str, Any]]:
        """The critic's parameters for an optimizer, with the weight ``decay`` of those that have one."""
        decayed = self.critic.decayed()
        known = {id(parameter) for parameter in decayed}
        yield {"params": decayed, "weight_decay": decay}
        yield {"params": [p for p in self.critic.parameters() if id(p) not in known], "weight_decay": 0.0}


def _glorot(layer: nn.Linear) -> nn.Linear:
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _orthogonal(layer: nn.Linear) -> nn.Linear:
    nn.init.orthogonal_(layer.weight, 2**0.5)
    nn.init.zeros_(layer.bias)
    return layer
