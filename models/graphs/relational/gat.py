"""Graph attention of the second kind, with embeddings of edges (docs/papers/pass_order.md#3.3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from data.graphs.relational import RelationalBatch
from models.graphs.relational.encoder import Layers, degrees
from models.graphs.segments import segment_softmax, segment_sum
from runs.errors import ConfigError


class GATv2(Layers):
    """Layers of attention with self-loops, each with batch normalisation and ReLU.

    Parameters
    ----------
    width, edge_width
        Of embeddings of nodes and edges.
    layers
        How many.
    heads
        A divisor of the width; what they give is concatenated.

    Raises
    ------
    ConfigError
        The width is no multiple of the heads.

    References
    ----------
    Brody, Alon, Yahav, How attentive are graph attention networks?, ICLR 2022.
    """

    def __init__(self, width: int = 256, edge_width: int = 64, layers: int = 8, heads: int = 4) -> None:
        if heads < 1 or width % heads:
            raise ConfigError(f"encoder.width is {width} and heads {heads}; the width must be a multiple of the heads")
        super().__init__(lambda: GraphAttention(width, edge_width, heads), layers)


class GraphAttention(nn.Module):
    """``x_i' = ReLU(BN(sum_j softmax_j(a . LeakyReLU(L x_j + R x_i + U e_ji)) L x_j + b))``.

    A node is its own neighbour, by an edge whose embedding is the mean of those that arrive.

    Parameters
    ----------
    width, edge_width, heads
        As in :class:`GATv2`.
    """

    def __init__(self, width: int, edge_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.of_source, self.of_target = nn.Linear(width, width), nn.Linear(width, width)
        self.of_edge = nn.Linear(edge_width, width, bias=False)
        self.attention = nn.Embedding(heads, width // heads)
        self.bias = nn.Parameter(torch.zeros(width))
        self.norm = nn.BatchNorm1d(width)

    def reset_parameters(self) -> None:
        """The bias begins at 0."""
        nn.init.zeros_(self.bias)

    def forward(
        self, x: Float[Tensor, "nodes width"], graph: RelationalBatch, e: Float[Tensor, "edges edge_width"]
    ) -> Float[Tensor, "nodes width"]:
        """New embeddings of the nodes."""
        nodes = torch.arange(len(x), device=x.device)
        source, target = torch.cat([graph.source, nodes]), torch.cat([graph.target, nodes])
        count = degrees(graph.target, len(x)).clamp(min=1)[:, None].to(e.dtype)
        e = torch.cat([e, segment_sum(e, graph.target, len(x)) / count])
        left = self.of_source(x)
        seen = left.index_select(0, source) + self.of_target(x).index_select(0, target) + self.of_edge(e)
        by_head = functional.leaky_relu(seen, 0.2).unflatten(1, (self.heads, -1))
        weights = segment_softmax((by_head * self.attention.weight).sum(2), target, len(x))
        sent = left.index_select(0, source).unflatten(1, (self.heads, -1)) * weights[:, :, None]
        found: Tensor = torch.relu(self.norm(segment_sum(sent.flatten(1), target, len(x)) + self.bias))
        return found
