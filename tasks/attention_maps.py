"""Attention maps as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from runs.figures import literal, png, sheet


def attention_maps_figure(
    maps: Mapping[str, Float[Tensor, "layers queries keys"]], words: Sequence[str] | None = None
) -> bytes:
    """PNG with a column per entry of ``maps``, a row per layer; every map has its own scale, from 0 to its largest weight.

    Parameters
    ----------
    maps
        Attention weights by title.
    words
        Labels of the queries.
    """
    layers = len(next(iter(maps.values())))
    figure = sheet(0.8 + 3.0 * len(maps), 3.1 * layers)
    grid = figure.subplots(layers, len(maps), squeeze=False)
    for column, (title, weights) in enumerate(maps.items()):
        for layer in range(layers):
            axes = grid[layer, column]
            axes.imshow(weights[layer].float().numpy(), cmap="viridis", vmin=0, interpolation="nearest")
            axes.set_title(f"{title}, layer {layer + 1}" if layers > 1 else title, fontsize=9)
            axes.set_xlabel("key", fontsize=8)
            axes.tick_params(labelsize=6)
            if column == 0:
                axes.set_ylabel("query", fontsize=8)
                if words is not None:
                    axes.set_yticks(range(len(words)), [literal(word[:30]) for word in words], fontsize=4)
    return png(figure)
