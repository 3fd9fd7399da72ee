"""What networks learn of the rewards of sequences (docs/papers/pass_order.md#3.4)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Scores = Float[Tensor, "programs sequences"]


def normalised_value(logits: Scores, rewards: Scores, temperature: float) -> Float[Tensor, ""]:
    """Cross-entropy to the softmax of the rewards: sequences that do alike share the mass (docs/papers/pass_order.md#(4)).

    Parameters
    ----------
    logits
        What the network says.
    rewards
        (docs/papers/pass_order.md#(2)).
    temperature
        T; the smaller, the more of the mass is on the best.
    """
    return functional.cross_entropy(logits, torch.softmax(rewards / temperature, dim=1))


def behaviour_cloning(logits: Scores, rewards: Scores) -> Float[Tensor, ""]:
    """Cross-entropy to the best sequence, of equal ones the first."""
    return functional.cross_entropy(logits, rewards.argmax(dim=1))


def value_regression(logits: Scores, rewards: Scores) -> Float[Tensor, ""]:
    """Mean squared error of predicted rewards, by which sequences are then ranked (Q-value-rank)."""
    return functional.mse_loss(logits, rewards)
