"""What a policy learns in, and what a policy is: many episodes advance together."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from jaxtyping import Bool, Float, Int
from torch import Tensor


class Turn(NamedTuple):
    """What some actions led to.

    Parameters
    ----------
    observation
        A named tuple of tensors (episodes, ...); where an episode has ended, the first of the next one.
    reward
        (episodes,)
    ended
        (episodes,) whether the action was its episode's last.
    """

    observation: Any
    reward: Float[Tensor, " episodes"]
    ended: Bool[Tensor, " episodes"]


class Environment(Protocol):
    """A fixed number of episodes side by side; one that ends begins anew at once."""

    def reset(self) -> Any:
        """The first observation of new episodes."""

    def step(self, actions: Int[Tensor, " episodes"]) -> Turn:
        """One action in each."""


class Decision(NamedTuple):
    """What a policy makes of observations.

    Parameters
    ----------
    logits
        (steps, episodes, actions); minus infinity for an action that is not allowed.
    values
        (steps, episodes) the return that it expects; zeros where it expects nothing.
    memory
        What it has to know of the past at the next step.
    """

    logits: Float[Tensor, "steps episodes actions"]
    values: Float[Tensor, "steps episodes"]
    memory: Any


class Policy(Protocol):
    """Decides on whole sequences of observations, so that acting, one step at a time, and learning are the same function."""

    def __call__(self, observations: Any, begins: Bool[Tensor, "steps episodes"], memory: Any) -> Decision:
        """The decisions; ``begins`` says where an episode begins, of which nothing before is remembered."""
