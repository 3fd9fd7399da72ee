"""Gated graph convolution with weights of their own for every relation and direction (docs/papers/pass_order.md#3.3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from data.graphs.relational import RelationalBatch
from models.graphs.relational.encoder import Layers, degrees
from models.graphs.segments import segment_sum


class GGC(Layers):
    """Layers of gated graph convolution, without embeddings of edges.

    Parameters
    ----------
    width
        Of embeddings of nodes.
    layers
        How many.
    relations
        Of the graphs.
    reversed
        How many of the first relations also send backwards, with weights of their own.
    steps
        Of each layer, which share its gates.
    """

    def __init__(
        self, width: int = 256, layers: int = 8, relations: int = 3, reversed: int = 1, steps: int = 2
    ) -> None:
        super().__init__(lambda: GatedConvolution(width, relations, reversed, steps), layers)


class GatedConvolution(nn.Module):
    """``x <- GRU(mean of W_r x_s over what arrives, x)``, several times.

    Parameters
    ----------
    width, relations, reversed, steps
        As in :class:`GGC`.
    """

    def __init__(self, width: int, relations: int, reversed: int, steps: int) -> None:
        super().__init__()
        self.relations, self.reversed = relations, reversed
        self.sent = nn.ModuleList(nn.Linear(width, width * (relations + reversed), bias=False) for _ in range(steps))
        self.gates = nn.GRUCell(width, width)

    def forward(
        self, x: Float[Tensor, "nodes width"], graph: RelationalBatch, e: Float[Tensor, "edges edge_width"]
    ) -> Float[Tensor, "nodes width"]:
        """New embeddings of the nodes; ``e`` is left aside."""
        back = graph.relation < self.reversed
        source = torch.cat([graph.source, graph.target[back]])
        target = torch.cat([graph.target, graph.source[back]])
        kind = torch.cat([graph.relation, graph.relation[back] + self.relations])
        count = degrees(target, len(x)).clamp(min=1)[:, None].to(x.dtype)
        for sent in self.sent:
            by_kind = sent(x).view(len(x) * (self.relations + self.reversed), -1)
            messages = by_kind.index_select(0, source * (self.relations + self.reversed) + kind)
            x = self.gates(segment_sum(messages, target, len(x)) / count, x)
        return x
