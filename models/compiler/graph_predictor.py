"""Scores of sequences from the graph of a program (docs/papers/pass_order.md#3.3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from data.compiler.program_graph import INSTRUCTION_NODE
from data.compiler.views import TEXTS
from data.graphs.relational import RelationalBatch
from models.compiler.predictor import PassPredictor
from models.encoders.mlp import mlp
from models.graphs.relational.encoder import GraphEncoder, degrees
from models.graphs.segments import segment_sum

POSITIONS = 32
UNKNOWN = 0


class GraphPredictor(PassPredictor):
    """Embeds nodes and edges, encodes the graph, and reads out the mean of its instructions.

    Texts of nodes that no training program has are one text, the unknown.

    Parameters
    ----------
    encoder
        :mod:`models.graphs.relational`.
    sequences
        Scores that it gives.
    width, edge_width
        Of the embeddings, as the encoder takes them.
    pool_edges
        Whether the mean of all edges is read out, too; the encoder must give them.
    """

    known: Tensor

    def __init__(
        self,
        encoder: GraphEncoder,
        sequences: int = 50,
        width: int = 256,
        edge_width: int = 64,
        pool_edges: bool = False,
    ) -> None:
        super().__init__(sequences)
        self.text, self.kind = nn.Embedding(TEXTS, width), nn.Embedding(4, width)
        self.edges = EdgeEmbedding(edge_width)
        self.encoder, self.pool_edges = encoder, pool_edges
        self.head = mlp([width + (edge_width if pool_edges else 0), 256, sequences])
        self.register_buffer("known", torch.zeros(TEXTS, dtype=torch.bool))

    def fit(self, views: RelationalBatch) -> None:
        """Remember the texts of the training programs."""
        self.known.zero_()
        self.known[views.node_features["text"]] = True

    def forward(self, views: RelationalBatch) -> Float[Tensor, "programs sequences"]:
        """See :class:`models.compiler.predictor.PassPredictor`."""
        text = views.node_features["text"]
        text = torch.where(self.known[text], text, UNKNOWN)
        x = self.text(text) + self.kind(views.node_features["type"])
        found = self.encoder(x, views, self.edges(views))
        chosen = views.node_features["type"] == INSTRUCTION_NODE
        read = _mean(found.nodes[chosen], views.graph[chosen], views.graphs)
        if self.pool_edges:
            assert found.edges is not None
            read = torch.cat([read, _mean(found.edges, views.edge_graph, views.graphs)], dim=1)
        scores: Tensor = self.head(read)
        return scores


class EdgeEmbedding(nn.Module):
    """Sum of three tables: relation, place among the operands, and whether the block of the target comes before.

    Parameters
    ----------
    width
        Of the embedding.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.relation, self.position, self.order = (nn.Embedding(count, width) for count in (4, POSITIONS, 3))

    def forward(self, graph: RelationalBatch) -> Float[Tensor, "edges width"]:
        """Of all edges."""
        position = graph.edge_features["position"].clamp(0, POSITIONS - 1)
        order = graph.edge_features["block_order"] + 1
        found: Tensor = self.relation(graph.relation) + self.position(position) + self.order(order)
        return found


def _mean(values: Float[Tensor, "items width"], graph: Tensor, graphs: int) -> Float[Tensor, "graphs width"]:
    return segment_sum(values, graph, graphs) / degrees(graph, graphs).clamp(min=1)[:, None].to(values.dtype)
