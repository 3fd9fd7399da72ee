"""Square grids with random times, as the paper and its code draw them, and with times that depend on each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from data.routing.problem import Loss, RoutingProblem
from runs.errors import at_least

Times = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""Means and variances (edges,) and the factor of the covariance (edges, factors), if there is one."""


def grid_edges(size: int) -> tuple[Int[np.ndarray, " edges"], Int[np.ndarray, " edges"]]:
    """Ends of the edges of a grid of ``size`` by ``size`` nodes, in the order of networkx: at every node, row by row, the
    edge to the next row and then the one to the next column."""
    node = np.arange(size * size).reshape(size, size)
    down, right = np.full((size, size), -1), np.full((size, size), -1)
    down[:-1], right[:, :-1] = node[1:], node[:, 1:]
    tails, heads = np.repeat(node.ravel(), 2), np.stack([down.ravel(), right.ravel()], axis=1).ravel()
    return tails[heads >= 0], heads[heads >= 0]


class TimeLaw(ABC):
    """How the times of a grid's edges are drawn."""

    @abstractmethod
    def draw(self, places: Float[np.ndarray, "edges 2"], size: int, rng: np.random.Generator) -> Times:
        """Times of edges whose middles are at ``places``."""


@dataclass(frozen=True)
class IndependentTimes(TimeLaw):
    """Edge by edge a mean from U(least, most) and then a variance from U(.1, .3) times what the mean lacks to 1.

    Parameters
    ----------
    least, most
        Range of the means: .1 and .2 in the authors' code, .1 and 1 in the text.
    """

    least: float = 0.1
    most: float = 0.2

    def draw(self, places: Float[np.ndarray, "edges 2"], size: int, rng: np.random.Generator) -> Times:
        draws = rng.random((len(places), 2))
        means = self.least + (self.most - self.least) * draws[:, 0]
        return means, (0.1 + (0.3 - 0.1) * draws[:, 1]) * (1 - means), None


@dataclass(frozen=True)
class CorrelatedTimes(TimeLaw):
    """Independent parts, and disturbances around random places which near edges share.

    Parameters
    ----------
    strength
        Standard deviation that a disturbance adds to an edge at its place.
    width
        Over which it fades, as a share of the grid's size.
    disturbances
        How many.
    """

    strength: float = 0.12
    width: float = 0.2
    disturbances: int = 5

    def draw(self, places: Float[np.ndarray, "edges 2"], size: int, rng: np.random.Generator) -> Times:
        draws = rng.random((len(places), 2))
        centres = rng.uniform(0, size - 1, (self.disturbances, 2))
        squares = ((places[:, None] - centres) ** 2).sum(2)
        factor = self.strength * np.exp(-squares / (2 * (self.width * size) ** 2))
        return 0.1 + (0.2 - 0.1) * draws[:, 0], np.maximum(0.01 * draws[:, 1], 1e-12), factor


def grid_problem(
    size: int, law: TimeLaw, deadline: float, rng: np.random.Generator, name: str = "grid", loss: Loss = "score"
) -> RoutingProblem:
    """A grid from one corner to the opposite one.

    Parameters
    ----------
    size
        Nodes of a side, at least 2.
    deadline
        As a multiple of the mean of the path that is the fastest on average.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """
    at_least("data.", size=(size, 2), deadline=(deadline, 0))
    tails, heads = grid_edges(size)
    rows, columns = np.divmod(np.arange(size * size), size)
    places = np.stack([rows, columns], axis=1).astype(float)
    means, variances, factor = law.draw((places[tails] + places[heads]) / 2, size, rng)
    source, target = 0, size * size - 1
    allowed = deadline * least_expected_time(tails, heads, means, source, target)
    return RoutingProblem(
        name, tails, heads, size * size, means, variances, source, target, allowed, factor, loss, None, places
    )


def least_expected_time(
    tails: Int[np.ndarray, " edges"],
    heads: Int[np.ndarray, " edges"],
    means: Float[np.ndarray, " edges"],
    source: int,
    target: int,
) -> float:
    """Mean of the path with the least one."""
    nodes = int(max(tails.max(), heads.max())) + 1
    graph = coo_array((means, (tails, heads)), shape=(nodes, nodes)).tocsr()
    return float(dijkstra(graph, directed=False, indices=source)[target])
