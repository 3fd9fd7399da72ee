"""Minimum vertex cover on Barabasi-Albert graphs (docs/papers/lb_relax.md#2.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from data.ilp.generators.base import expect
from data.ilp.generators.random_graphs import barabasi_albert
from data.ilp.problem import ILP


@dataclass(frozen=True)
class MinimumVertexCover:
    """``min w x  s.t.  x_u + x_v >= 1`` for every edge, x binary.

    Parameters
    ----------
    nodes
        n, the number of variables.
    attachments
        Edges each new node brings; the graph has ``(nodes - attachments) * attachments`` edges.
    weights
        ``"uniform"``: w ~ U(0, 1); ``"unit"``: w = 1.
    """

    nodes: int = 1000
    attachments: int = 70
    weights: str = "uniform"

    def __post_init__(self) -> None:
        expect(self.attachments >= 1, "MVC", "attachments", self.attachments, "at least 1")
        expect(self.nodes > self.attachments, "MVC", "nodes", self.nodes, f"more than attachments ({self.attachments})")
        expect(self.weights in ("uniform", "unit"), "MVC", "weights", self.weights, "'uniform' or 'unit'")

    def __call__(self, rng: np.random.Generator, name: str) -> ILP:
        edges = barabasi_albert(rng, self.nodes, self.attachments)
        weights = rng.random(self.nodes) if self.weights == "uniform" else np.ones(self.nodes)
        return ILP.build(weights, edge_matrix(edges, self.nodes), row_lo=1.0, ub=1.0, integer=True, name=name)


def edge_matrix(edges: np.ndarray, nodes: int) -> sp.coo_matrix:
    """The (E, nodes) incidence matrix of edges (E, 2)."""
    rows = np.repeat(np.arange(len(edges)), 2)
    return sp.coo_matrix((np.ones(2 * len(edges)), (rows, edges.ravel())), shape=(len(edges), nodes))
