"""The oracle of shortest paths (docs/papers/surco.md#3.5)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from data.routing.problem import RoutingProblem
from runs.errors import ConfigError, InvalidProblem, require
from solvers.differentiable.oracle import LinearOracle, Vertices

BACKENDS = ("compiled", "scipy")


class ShortestPath(LinearOracle):
    """Dijkstra's algorithm for a batch of costs, compiled where numba is installed (extra ``photonics``), else by SciPy.

    Both return the same paths: of those of one cost the one with the fewest edges, and of these that which, from the target
    back, takes the lowest edge each time.

    Parameters
    ----------
    backend
        ``compiled`` or ``scipy``; None: whichever is there.

    Raises
    ------
    ConfigError
        There is no such back end.
    MissingDependency
        The compiled one was asked for, and numba is not installed.
    """

    def __init__(self, backend: Literal["compiled", "scipy"] | None = None) -> None:
        if backend is not None and backend not in BACKENDS:
            raise ConfigError(f"oracle.backend is '{backend}'; choose {' or '.join(BACKENDS)}")
        if backend == "compiled":
            require("numba", "photonics")
        self.backend = backend or ("compiled" if find_spec("numba") else "scipy")

    def check(self, problem: RoutingProblem) -> None:
        """Refuse a graph on which no path leads to the target.

        Raises
        ------
        InvalidProblem
            Names both nodes.
        """
        problem.validate()

    def solve(self, costs: Float[np.ndarray, "batch variables"], problem: RoutingProblem) -> Vertices:
        """The shortest path for each row of costs.

        Raises
        ------
        InvalidProblem
            A cost is negative or no number: names its edge.
        """
        costs = np.ascontiguousarray(costs, dtype=np.float64)
        if costs.shape[1:] != (problem.variables,):
            raise InvalidProblem(
                f"{problem.name}: costs have shape {costs.shape}; expected (batch, {problem.variables}), one an edge"
            )
        _refuse_negative(costs, problem)
        if self.backend == "compiled":
            from solvers.routing.dijkstra import shortest_paths

            x = shortest_paths(costs, *problem.arcs, problem.source, problem.target)
        else:
            x = _by_scipy(costs, problem)
        return Vertices(x.astype(np.float64), np.ones(len(x), bool))


def _refuse_negative(costs: Float[np.ndarray, "batch edges"], problem: RoutingProblem) -> None:
    if (costs.size and not costs.min() >= 0) or not costs.max(initial=0.0) < np.inf:
        row, edge = np.argwhere(~((costs >= 0) & (costs < np.inf)))[0].tolist()
        raise InvalidProblem(
            f"{problem.name}: edge {edge} ({problem.edge_label(edge)}) has cost {costs[row, edge]:g}; shortest paths need "
            "finite costs that are not negative"
        )


def _by_scipy(costs: Float[np.ndarray, "batch edges"], problem: RoutingProblem) -> Float[np.ndarray, "batch edges"]:
    """Distances by SciPy, on as many copies of the graph as there are rows; then paths of few edges among the tight arcs."""
    starts, heads, edges = problem.arcs
    batch, nodes, arcs = len(costs), problem.nodes, len(heads)
    tails = np.repeat(np.arange(nodes), np.diff(starts))
    copies = np.arange(batch)
    first = copies[:, None] * nodes
    all_tails, all_heads = (first + tails).ravel(), (first + heads).ravel()
    pointers = np.append((copies[:, None] * arcs + starts[:-1]).ravel(), batch * arcs)
    lengths, sources = costs[:, edges].ravel(), copies * nodes + problem.source
    distance = _distances(lengths, all_heads, pointers, sources)
    tight = distance[all_tails] + lengths == distance[all_heads]
    counts = np.append(0, np.cumsum(np.bincount(all_tails[tight], minlength=batch * nodes)))
    hops = _distances(np.ones(tight.sum()), all_heads[tight], counts, sources)
    x = np.zeros(costs.shape)
    here = copies * nodes + problem.target
    left = copies
    while len(left):
        leaving = pointers[here]
        degree = pointers[here + 1] - leaving
        offset = np.arange(degree.max())
        arc = np.minimum(leaving[:, None] + offset, len(lengths) - 1)
        before = all_heads[arc]
        good = (
            (offset < degree[:, None])
            & (hops[before] + 1 == hops[here][:, None])
            & (distance[before] + lengths[arc] == distance[here][:, None])
        )
        taken = arc[np.arange(len(left)), good.argmax(1)]
        x[left, edges[taken % arcs]] = 1
        here = all_heads[taken]
        on = here != left * nodes + problem.source
        here, left = here[on], left[on]
    return x


def _distances(
    lengths: Float[np.ndarray, " arcs"],
    heads: Int[np.ndarray, " arcs"],
    pointers: Int[np.ndarray, " nodes_and_one"],
    sources: Int[np.ndarray, " sources"],
) -> Float[np.ndarray, " nodes"]:
    """Of every node from the nearest source."""
    nodes = len(pointers) - 1
    graph = csr_array((lengths, heads, pointers), shape=(nodes, nodes))
    return np.asarray(dijkstra(graph, indices=sources, min_only=True))
