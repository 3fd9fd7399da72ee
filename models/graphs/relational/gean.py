"""Graph edge attention: every edge informs both of its ends (docs/papers/pass_order.md#3.3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from data.graphs.relational import RelationalBatch
from models.graphs.relational.encoder import Encoded
from models.graphs.segments import segment_softmax, segment_sum
from runs.errors import ConfigError

SPREAD = 0.02
"""Standard deviation of the first weights, a normal that is cut at two of them."""


class GEAN(nn.Module):
    """Layers of edge attention; gives edges besides nodes.

    Parameters
    ----------
    width, edge_width
        Of embeddings of nodes and edges.
    layers
        How many.
    heads
        Of the attention; a divisor of the width.

    Raises
    ------
    ConfigError
        The width is no multiple of the heads.
    """

    def __init__(self, width: int = 256, edge_width: int = 64, layers: int = 8, heads: int = 4) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ConfigError(f"encoder.width is {width} and heads {heads}; the width must be a multiple of the heads")
        self.layers = nn.ModuleList(EdgeAttention(width, edge_width, heads) for _ in range(layers))

    def forward(
        self, x: Float[Tensor, "nodes width"], graph: RelationalBatch, e: Float[Tensor, "edges edge_width"]
    ) -> Encoded:
        """See :class:`models.graphs.relational.encoder.GraphEncoder`."""
        for layer in self.layers:
            x, e = layer(x, graph, e)
        return Encoded(x, e)


class EdgeAttention(nn.Module):
    """One layer. A perceptron of an edge (s, t) and its ends gives two logits a head and three messages:

    ``[a_s, a_t, m_s, m_t, m_e] = W_2 GELU(W_1 [x_s, x_t, e_st])``. What arrives at a node, from edges of which it is source
    (m_s) and the target (m_t), is weighted by one softmax, per head. Nodes and edges then add
    ``GELU(W LN(what arrived))`` to themselves.

    Parameters
    ----------
    width, edge_width, heads
        As in :class:`GEAN`.

    Notes
    -----
    The first linear layer is three, of sources, targets and edges: those of the ends are applied once a node, and no edge
    carries the concatenated vector.
    """

    def __init__(self, width: int, edge_width: int, heads: int) -> None:
        super().__init__()
        hidden = 2 * width + edge_width
        self.width, self.edge_width, self.heads = width, edge_width, heads
        self.node_norm, self.edge_norm = nn.LayerNorm(width), nn.LayerNorm(edge_width)
        self.of_source, self.of_target = (
            CutNormalLinear(width, hidden, bias=False),
            CutNormalLinear(width, hidden, bias=False),
        )
        self.of_edge = CutNormalLinear(edge_width, hidden)
        self.messages = CutNormalLinear(hidden, 2 * heads + hidden)
        self.arrived_norm, self.to_node = nn.LayerNorm(width), CutNormalLinear(width, width)
        self.message_norm, self.to_edge = nn.LayerNorm(edge_width), CutNormalLinear(edge_width, edge_width)

    def forward(
        self, x: Float[Tensor, "nodes width"], graph: RelationalBatch, e: Float[Tensor, "edges edge_width"]
    ) -> tuple[Float[Tensor, "nodes width"], Float[Tensor, "edges edge_width"]]:
        """New embeddings of nodes and edges."""
        nodes, edges = self.node_norm(x), self.edge_norm(e)
        hidden = self.of_edge(edges)
        hidden = hidden + self.of_source(nodes).index_select(0, graph.source)
        hidden = hidden + self.of_target(nodes).index_select(0, graph.target)
        sizes = [self.heads, self.heads, self.width, self.width, self.edge_width]
        a_s, a_t, m_s, m_t, m_e = self.messages(functional.gelu(hidden)).split(sizes, dim=1)
        receiver = torch.cat([graph.source, graph.target])
        weights = segment_softmax(torch.cat([a_s, a_t]), receiver, len(x))
        sent = torch.cat([m_s, m_t]).unflatten(1, (self.heads, -1)) * weights[:, :, None]
        arrived = segment_sum(sent.flatten(1), receiver, len(x))
        x = x + functional.gelu(self.to_node(self.arrived_norm(arrived)))
        e = e + functional.gelu(self.to_edge(self.message_norm(m_e)))
        return x, e


class CutNormalLinear(nn.Linear):
    """A linear layer whose weights begin as a normal that is cut, and whose biases begin at 0."""

    def reset_parameters(self) -> None:
        """Draw the weights."""
        nn.init.trunc_normal_(self.weight, std=SPREAD, a=-2 * SPREAD, b=2 * SPREAD)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
