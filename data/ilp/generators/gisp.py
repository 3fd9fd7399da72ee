"""The generalised independent set problem of Hochbaum and Pathria on Erdos-Renyi graphs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from data.ilp.generators.base import expect
from data.ilp.generators.mvc import edge_matrix
from data.ilp.generators.random_graphs import erdos_renyi
from data.ilp.problem import ILP


@dataclass(frozen=True)
class GeneralizedIndependentSet:
    """``max r sum x - c sum y  s.t.  x_u + x_v <= 1`` (kept edges), ``x_u + x_v - y_e <= 1`` (removable edges), binary.

    Variables are the nodes x, then one y per removable edge; rows are the edges in sorted order.

    Parameters
    ----------
    nodes
        Number of nodes.
    edge_probability
        Probability of an edge.
    removable_share
        Probability that an edge may be removed at a cost.
    revenue, removal_cost
        r of a chosen node and c of a removed edge.
    """

    nodes: int = 150
    edge_probability: float = 0.3
    removable_share: float = 0.75
    revenue: float = 100.0
    removal_cost: float = 1.0

    def __post_init__(self) -> None:
        expect(self.nodes >= 2, "GISP", "nodes", self.nodes, "at least 2")
        for key in ("edge_probability", "removable_share"):
            value = getattr(self, key)
            expect(0 <= value <= 1, "GISP", key, value, "a number in [0, 1]")
        for key in ("revenue", "removal_cost"):
            value = getattr(self, key)
            expect(0 <= value < np.inf, "GISP", key, value, "a finite number >= 0")

    def __call__(self, rng: np.random.Generator, name: str) -> ILP:
        edges = erdos_renyi(rng, self.nodes, self.edge_probability)
        removable = np.flatnonzero(rng.random(len(edges)) < self.removable_share)
        count = len(removable)
        relief = sp.coo_matrix((-np.ones(count), (removable, np.arange(count))), shape=(len(edges), count))
        matrix = sp.hstack([edge_matrix(edges, self.nodes), relief], format="csr")
        profit = np.concatenate([np.full(self.nodes, self.revenue), np.full(count, -self.removal_cost)])
        return ILP.build(profit, matrix, row_hi=1.0, ub=1.0, integer=True, maximize=True, name=name)
