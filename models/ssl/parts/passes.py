"""Views through a network, and which of them are compared."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from runs.errors import ConfigError


def through(network: nn.Module, inputs: Sequence[Tensor], one_pass: bool = False) -> list[Tensor]:
    """Outputs of ``network`` for each of ``inputs``.

    Parameters
    ----------
    network
        Applied to each input; its batch norms see one view at a time, unless ``one_pass``.
    inputs
        Tensors with rows of equal meaning, such as the views of a batch.
    one_pass
        Consecutive inputs of one shape go through together, and batch norms see their rows mixed.
    """
    if not one_pass:
        return [network(x) for x in inputs]
    outputs: list[Tensor] = []
    for _, group in groupby(inputs, key=lambda x: x.shape):
        alike = list(group)
        outputs.extend(network(torch.cat(alike)).chunk(len(alike)))
    return outputs


def pairs(global_views: int, views: int) -> list[tuple[int, int]]:
    """Every two views of which at least the first is global: (i, j) with i < j.

    Raises
    ------
    ConfigError
        There are fewer than two views, or no global one.
    """
    if views < 2 or global_views < 1:
        raise ConfigError(
            f"a batch has {views} views, {global_views} of them global; this recipe compares views: give at least 2, and "
            "at least 1 global (data.views)"
        )
    return [(i, j) for i in range(global_views) for j in range(i + 1, views)]


def ordered_pairs(global_views: int, views: int) -> list[tuple[int, int]]:
    """Pairs (i, j), j != i, of a global view i that gives the target and any view j that is to match it.

    Raises
    ------
    ConfigError
        As :func:`pairs`.
    """
    pairs(global_views, views)
    return [(i, j) for i in range(global_views) for j in range(views) if i != j]
