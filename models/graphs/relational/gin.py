"""Graph isomorphism network with embeddings of edges (docs/papers/pass_order.md#3.3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from data.graphs.relational import RelationalBatch
from models.graphs.relational.encoder import Layers
from models.graphs.segments import segment_sum


class GIN(Layers):
    """Layers of sums and perceptrons.

    Parameters
    ----------
    width, edge_width
        Of embeddings of nodes and edges.
    layers
        How many.

    References
    ----------
    Xu et al., How powerful are graph neural networks?, ICLR 2019.
    """

    def __init__(self, width: int = 256, edge_width: int = 64, layers: int = 8) -> None:
        super().__init__(lambda: IsomorphismLayer(width, edge_width), layers)


class IsomorphismLayer(nn.Module):
    """``MLP((1 + eps) x_i + sum_j ReLU(x_j + U e_ji))``, the perceptron with one hidden layer of twice the width.

    Parameters
    ----------
    width, edge_width
        As in :class:`GIN`.
    """

    def __init__(self, width: int, edge_width: int) -> None:
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1))
        self.of_edge = nn.Linear(edge_width, width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, 2 * width), nn.BatchNorm1d(2 * width), nn.ReLU(), nn.Linear(2 * width, width),
            nn.BatchNorm1d(width), nn.ReLU(),
        )  # fmt: skip

    def reset_parameters(self) -> None:
        """Its own weight begins at 0."""
        nn.init.zeros_(self.eps)

    def forward(
        self, x: Float[Tensor, "nodes width"], graph: RelationalBatch, e: Float[Tensor, "edges edge_width"]
    ) -> Float[Tensor, "nodes width"]:
        """New embeddings of the nodes."""
        messages = torch.relu(x.index_select(0, graph.source) + self.of_edge(e))
        found: Tensor = self.perceptron((1 + self.eps) * x + segment_sum(messages, graph.target, len(x)))
        return found
