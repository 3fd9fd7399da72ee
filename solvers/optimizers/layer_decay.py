"""Learning rates that shrink from the output of an encoder to its input, for fine-tuning (docs/papers/ssl.md#5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from runs.errors import ConfigError


def layer_decay(
    layers: Sequence[Sequence[nn.Parameter]],
    head: Iterable[nn.Parameter],
    lr: float,
    decay: float,
    weight_decay: float = 0.0,
) -> list[dict[str, Any]]:
    """Parameter groups for an optimiser: the head learns at ``lr``, each layer below at ``decay`` times the rate above it.

    Biases and norms, of one dimension, have no weight decay. Parameters without gradient are left out.

    Parameters
    ----------
    layers
        Parameters of an encoder from its input on, as its ``layers()`` gives them.
    head
        Parameters of what is on top of it.
    lr
        Learning rate of the head.
    decay
        In (0, 1]: 0.65 for ViT-B and 0.75 for ViT-L.
    weight_decay
        Of the matrices.

    Raises
    ------
    ConfigError
        ``decay`` is outside (0, 1].
    """
    if not 0 < decay <= 1:
        raise ConfigError(f"layer decay is {decay}; give a factor in (0, 1]")
    groups: list[dict[str, Any]] = []
    for depth, layer in enumerate([*layers, list(head)]):
        rate = lr * decay ** (len(layers) - depth)
        trained = [p for p in layer if p.requires_grad]
        for parameters, own_decay in (
            ([p for p in trained if p.ndim > 1], weight_decay),
            ([p for p in trained if p.ndim <= 1], 0.0),
        ):
            if parameters:
                groups.append({"params": parameters, "lr": rate, "weight_decay": own_decay})
    return groups
