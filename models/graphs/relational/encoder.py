"""The contract of encoders of relational graphs (docs/papers/pass_order.md#3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from data.graphs.relational import RelationalBatch


class Encoded(NamedTuple):
    """What an encoder makes of nodes, and of edges where it has something for them."""

    nodes: Float[Tensor, "nodes width"]
    edges: Float[Tensor, "edges edge_width"] | None = None


class GraphEncoder(Protocol):
    """Any ``nn.Module`` with this call; the graph may be a union of several."""

    def __call__(
        self, x: Float[Tensor, "nodes width"], graph: RelationalBatch, e: Float[Tensor, "edges edge_width"]
    ) -> Encoded:
        """New embeddings of the nodes, of as many channels; ``e`` are embeddings of the edges, which it may leave aside."""


class Layers(nn.Module):
    """Abstract: one layer after the other, each called as ``layer(x, graph, e)``.

    Parameters
    ----------
    make
        Makes a layer.
    layers
        How many.
    """

    def __init__(self, make: Callable[[], nn.Module], layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(make() for _ in range(layers))

    def forward(
        self, x: Float[Tensor, "nodes width"], graph: RelationalBatch, e: Float[Tensor, "edges edge_width"]
    ) -> Encoded:
        """See :class:`GraphEncoder`."""
        for layer in self.layers:
            x = layer(x, graph, e)
        return Encoded(x)


def degrees(node: Int64[Tensor, " edges"], nodes: int) -> Float[Tensor, " nodes"]:
    """How many edges there are at each node."""
    return torch.bincount(node, minlength=nodes).float()
