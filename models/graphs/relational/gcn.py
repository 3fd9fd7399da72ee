"""Graph convolution with embeddings of edges and a root of its own (docs/papers/pass_order.md#3.3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from data.graphs.relational import RelationalBatch
from models.graphs.relational.encoder import Layers, degrees
from models.graphs.segments import segment_sum


class GCN(Layers):
    """Layers of graph convolution, each with batch normalisation and ReLU.

    Parameters
    ----------
    width, edge_width
        Of embeddings of nodes and edges.
    layers
        How many.
    """

    def __init__(self, width: int = 256, edge_width: int = 64, layers: int = 8) -> None:
        super().__init__(lambda: GraphConvolution(width, edge_width), layers)


class GraphConvolution(nn.Module):
    """``ReLU(BN(sum_j ReLU(W x_j + U e_ji) / sqrt(d_i d_j) + ReLU(W x_i + root) / d_i))``, d one more than the in-degree.

    Parameters
    ----------
    width, edge_width
        As in :class:`GCN`.
    """

    def __init__(self, width: int, edge_width: int) -> None:
        super().__init__()
        self.linear, self.of_edge = nn.Linear(width, width), nn.Linear(edge_width, width, bias=False)
        self.root = nn.Embedding(1, width)
        self.norm = nn.BatchNorm1d(width)

    def forward(
        self, x: Float[Tensor, "nodes width"], graph: RelationalBatch, e: Float[Tensor, "edges edge_width"]
    ) -> Float[Tensor, "nodes width"]:
        """New embeddings of the nodes."""
        x = self.linear(x)
        degree = (degrees(graph.target, len(x)) + 1).to(x.dtype)
        scale = degree.rsqrt()
        weight = scale.index_select(0, graph.source) * scale.index_select(0, graph.target)
        messages = torch.relu(x.index_select(0, graph.source) + self.of_edge(e)) * weight[:, None]
        own = torch.relu(x + self.root.weight) / degree[:, None]
        found: Tensor = torch.relu(self.norm(segment_sum(messages, graph.target, len(x)) + own))
        return found
