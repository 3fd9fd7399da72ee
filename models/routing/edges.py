"""Costs of edges from what is known of each, one by one or along the graph (docs/papers/surco.md#3.5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from torch import Tensor, nn

from data.routing.problem import RoutingProblem
from models.cost_network import CostNetwork
from models.encoders.mlp import mlp
from models.graphs.backbone import Backbone

FEATURES = 5


def edge_features(problem: RoutingProblem) -> Float[np.ndarray, "edges 5"]:
    """Mean, variance, loading, coupling with all edges, and the deadline over the least expected time.

    The first four are divided by their means over the edges where these are not 0, so that no unit matters. The loading of
    an edge is the length of its row of B, its coupling that row times the sum of all; both are 0 without a factor.
    """
    loading = coupling = np.zeros(problem.variables)
    if problem.factor is not None:
        loading = np.sqrt((problem.factor**2).sum(1))
        coupling = problem.factor @ problem.factor.sum(0)
    columns = np.stack([problem.means, problem.variances, loading, coupling], axis=1)
    size = np.abs(columns).mean(0)
    scaled = columns / np.where(size > 0, size, 1.0)
    slack = np.full((problem.variables, 1), problem.deadline / least_mean(problem))
    return np.concatenate([scaled, slack], axis=1)


def least_mean(problem: RoutingProblem) -> float:
    """Mean of the path that is the fastest on average."""
    shape = (problem.nodes, problem.nodes)
    graph = coo_array((problem.means, (problem.tails, problem.heads)), shape=shape).tocsr()
    return float(dijkstra(graph, directed=False, indices=problem.source)[problem.target])


class EdgeNetwork(CostNetwork):
    """A perceptron on the features of each edge.

    Parameters
    ----------
    hidden
        Widths of the layers between.
    """

    def __init__(self, hidden: Sequence[int] = (64, 64)) -> None:
        super().__init__()
        self.layers = mlp([FEATURES, *hidden, 1])

    def encode(self, problem: RoutingProblem) -> tuple[Tensor]:
        """(edges, 5) features."""
        return (torch.from_numpy(edge_features(problem)).float(),)

    def forward(self, features: Float[Tensor, "edges 5"]) -> Float[Tensor, " edges"]:
        return self.layers(features)[:, 0]


class EdgeGraphNetwork(CostNetwork):
    """Edges and nodes tell each other what they know, several rounds; any encoder of bipartite graphs serves.

    Parameters
    ----------
    backbone
        Edges are its variables, nodes its rows.
    width
        Of the embeddings.
    """

    def __init__(self, backbone: Backbone, width: int = 32) -> None:
        super().__init__()
        self.edges, self.nodes, self.ends = mlp([FEATURES, width], True), mlp([2, width], True), nn.Linear(1, width)
        self.backbone, self.out = backbone, mlp([width, width, 1])

    def encode(self, problem: RoutingProblem) -> tuple[Tensor, Tensor, Tensor]:
        """(edges, 5) features, (nodes, 2) which is source and which target, (2, 2 edges) node and edge of each end."""
        ends = np.zeros((problem.nodes, 2))
        ends[problem.source, 0] = ends[problem.target, 1] = 1
        pairs = np.stack([np.concatenate([problem.tails, problem.heads]), np.tile(np.arange(problem.variables), 2)])
        features = torch.from_numpy(edge_features(problem)).float()
        return features, torch.from_numpy(ends).float(), torch.from_numpy(pairs)

    def forward(
        self, features: Float[Tensor, "edges 5"], ends: Float[Tensor, "nodes 2"], pairs: Int[Tensor, "2 ends"]
    ) -> Float[Tensor, " edges"]:
        joined = self.ends(torch.ones(pairs.shape[1], 1, device=pairs.device))
        return self.out(self.backbone(self.edges(features), self.nodes(ends), pairs, joined))[:, 0]
