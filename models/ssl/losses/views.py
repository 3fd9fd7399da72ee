"""Cross-entropy between views: what DINO and SwAV share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from models.ssl.losses.checks import check_views
from models.ssl.state.reduce import mean_over_processes
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
    everyone = _total(probabilities)
    total = logits[0].new_zeros(())
    for j, s in enumerate(logits):
        others = [p for i, p in enumerate(probabilities) if i != j]
        if others:
            target = everyone if len(others) == len(probabilities) else _total(others)
            total = total - target.flatten().dot((s / temperature).log_softmax(1).flatten())
    return mean_over_processes(total / (pairs * len(logits[0])))


def _total(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.stack(tuple(tensors)).sum(0)
