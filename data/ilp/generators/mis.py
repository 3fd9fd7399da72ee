"""Maximum independent set on Erdos-Renyi graphs (docs/papers/lb_relax.md#2.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.ilp.generators.base import expect
from data.ilp.generators.mvc import edge_matrix
from data.ilp.generators.random_graphs import erdos_renyi
from data.ilp.problem import ILP


@dataclass(frozen=True)
class MaximumIndependentSet:
    """``max sum x  s.t.  x_u + x_v <= 1`` for every edge, x binary; edge rows only, no clique rows.

    Parameters
    ----------
    nodes
        n, the number of variables.
    average_degree
        Expected degree; an edge exists with probability ``average_degree / (nodes - 1)`` (8: 4n edges expected).
    """

    nodes: int = 6000
    average_degree: float = 8.0

    def __post_init__(self) -> None:
        expect(self.nodes >= 2, "MIS", "nodes", self.nodes, "at least 2")
        expectation = f"a number in [0, nodes - 1 = {self.nodes - 1}]"
        expect(0 <= self.average_degree <= self.nodes - 1, "MIS", "average_degree", self.average_degree, expectation)

    def __call__(self, rng: np.random.Generator, name: str) -> ILP:
        edges = erdos_renyi(rng, self.nodes, self.average_degree / (self.nodes - 1))
        return ILP.build(
            np.ones(self.nodes),
            edge_matrix(edges, self.nodes),
            row_hi=1.0,
            ub=1.0,
            integer=True,
            maximize=True,
            name=name,
        )
