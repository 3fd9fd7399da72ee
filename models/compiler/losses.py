"""What networks learn of the rewards of sequences (docs/papers/pass_order.md#3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from runs.errors import at_least

Scores = Float[Tensor, "programs sequences"]


@dataclass(frozen=True)
class NormalisedValue:
    """Cross-entropy to the softmax of the rewards: sequences that do alike share the mass (docs/papers/pass_order.md#(4)).

    Parameters
    ----------
    temperature
        T; the smaller, the more of the mass is on the best.
    """

    temperature: float

    def __post_init__(self) -> None:
        at_least("task.loss.", temperature=(self.temperature, 1e-6))

    def __call__(self, logits: Scores, rewards: Scores) -> Float[Tensor, ""]:
        """Of logits and rewards (docs/papers/pass_order.md#(2))."""
        return functional.cross_entropy(logits, torch.softmax(rewards / self.temperature, dim=1))


class BehaviourCloning:
    """Cross-entropy to the best sequence, of equal ones the first."""

    def __call__(self, logits: Scores, rewards: Scores) -> Float[Tensor, ""]:
        """Of logits and rewards."""
        return functional.cross_entropy(logits, rewards.argmax(dim=1))


class ValueRegression:
    """Mean squared error of predicted rewards, by which sequences are then ranked (Q-value-rank)."""

    def __call__(self, logits: Scores, rewards: Scores) -> Float[Tensor, ""]:
        """Of logits and rewards."""
        return functional.mse_loss(logits, rewards)
