"""Cross-entropy between views: what DINO and SwAV share."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.state.reduce import mean_over_processes
from runs.errors import ConfigError


def cross_entropy_of_views(
    loss: str,
    logits: Sequence[Float[Tensor, "batch prototypes"]],
    probabilities: Sequence[Float[Tensor, "batch prototypes"]],
    temperature: float,
) -> Float[Tensor, ""]:
    """Mean over rows and pairs (i, j != i) of ``-sum_k p_ik log_softmax(s_j / T)_k``. Collective.

    A view's log-probabilities meet the sum of the other views' targets, so each is computed once.

    Raises
    ------
    ConfigError
        There is no pair, or the shapes differ.
    """
    pairs = sum(i != j for i in range(len(probabilities)) for j in range(len(logits)))
    if not pairs:
        raise ConfigError(
            f"{loss} got {len(logits)} views and {len(probabilities)} targets; it compares at least 2 views"
        )
    check_views(loss, *logits, *probabilities, rows=1)

    @functools.cache
    def target(views: tuple[int, ...]) -> Tensor:
        summed = [probabilities[i] for i in views]
        return summed[0] if len(summed) == 1 else torch.stack(summed).sum(0)

    total = logits[0].new_zeros(())
    for j, s in enumerate(logits):
        if others := tuple(i for i in range(len(probabilities)) if i != j):
            total = total - target(others).flatten().dot((s / temperature).log_softmax(1).flatten())
    return mean_over_processes(total / (pairs * len(logits[0])))
