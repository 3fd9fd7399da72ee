"""The path that most likely arrives in time, on a graph of uncertain times (docs/papers/surco.md#2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order
from scipy.special import ndtr

from data.queried import Queried
from runs.errors import ConfigError, InvalidProblem

Loss = Literal["score", "probability"]
LOSSES = ("score", "probability")


class Arcs(NamedTuple):
    """Every edge in both of its directions, grouped by the node that it leaves.

    Attributes
    ----------
    starts
        (nodes + 1,) arcs ``starts[v]`` to ``starts[v + 1]`` leave node v, by ascending edge.
    heads
        (arcs,) where each leads.
    edges
        (arcs,) whose arc it is.
    """

    starts: Int[np.ndarray, " nodes_and_one"]
    heads: Int[np.ndarray, " arcs"]
    edges: Int[np.ndarray, " arcs"]


@dataclass(frozen=True, eq=False)
class RoutingProblem:
    """Maximise the probability to arrive in time over simple paths x, one variable for each edge, which runs both ways.

    The time of a path is normal, with mean ``means'x`` and variance ``variances'x + |factor'x|^2``. Its score is
    ``(deadline - mean) / sqrt(variance)``, and its probability to arrive in time the normal distribution function of that.
    As a :class:`solvers.differentiable.relaxed.Relaxed` the cost is either of them, negative, at any x.

    Parameters
    ----------
    name
        Of the instance.
    tails, heads
        (edges,) the two nodes of each edge.
    nodes
        How many there are.
    means, variances
        (edges,) of the time that an edge takes, the variances without what ``factor`` adds.
    source, target
        Nodes.
    deadline
        Time allowed.
    factor
        (edges, factors) B of the covariance ``diag(variances) + B B'``; None: edges are independent.
    loss
        The cost of the relaxed problem: ``score`` the negative score, ``probability`` the negative probability. The best
        path is the same.
    labels
        Names of the nodes for messages and files; None: their numbers.
    places
        (nodes, 2) where they are drawn; None: nowhere.
    """

    name: str
    tails: Int[np.ndarray, " edges"]
    heads: Int[np.ndarray, " edges"]
    nodes: int
    means: Float[np.ndarray, " edges"]
    variances: Float[np.ndarray, " edges"]
    source: int
    target: int
    deadline: float
    factor: Float[np.ndarray, "edges factors"] | None = None
    loss: Loss = "score"
    labels: tuple[str, ...] | None = None
    places: Float[np.ndarray, "nodes 2"] | None = None

    maximize = True

    @property
    def variables(self) -> int:
        """Number of edges."""
        return len(self.tails)

    @cached_property
    def arcs(self) -> Arcs:
        """The edges by the nodes that they leave."""
        tails, heads = np.concatenate([self.tails, self.heads]), np.concatenate([self.heads, self.tails])
        edges = np.tile(np.arange(self.variables), 2)
        order = np.lexsort((edges, tails))
        starts = np.searchsorted(tails[order], np.arange(self.nodes + 1))
        return Arcs(starts, heads[order], edges[order])

    @cached_property
    def marginal_variances(self) -> Float[np.ndarray, " edges"]:
        """Variance of each edge alone, what the factor adds included."""
        return self.variances if self.factor is None else self.variances + (self.factor**2).sum(1)

    def validate(self) -> None:
        """Check shapes, ends, moments, and that some path leads from the source to the target.

        Raises
        ------
        InvalidProblem
            Names the field and the edge or the node.
        ConfigError
            There is no such loss.
        """
        if self.loss not in LOSSES:
            raise ConfigError(f"data.loss is '{self.loss}'; choose {' or '.join(LOSSES)}")
        shapes = {"heads": self.heads, "means": self.means, "variances": self.variances}
        for field, values in shapes.items():
            if values.shape != (self.variables,):
                raise InvalidProblem(f"{self.name}: {field} has shape {values.shape}; expected ({self.variables},)")
        if self.factor is not None and (self.factor.ndim != 2 or len(self.factor) != self.variables):
            raise InvalidProblem(
                f"{self.name}: factor has shape {self.factor.shape}; expected ({self.variables}, factors)"
            )
        for field, node in (("source", self.source), ("target", self.target)):
            if not 0 <= node < self.nodes:
                raise InvalidProblem(f"{self.name}: {field} is node {node}; there are {self.nodes}, from 0")
        if self.source == self.target:
            raise InvalidProblem(f"{self.name}: source and target are both '{self.label(self.source)}'; give two nodes")
        if not np.isfinite(self.deadline):
            raise InvalidProblem(f"{self.name}: deadline is {self.deadline}; expected a number")
        ends = np.stack([self.tails, self.heads])
        self._refuse(
            (ends < 0).any(0) | (ends >= self.nodes).any(0), "ends", ends.T, f"nodes from 0 to {self.nodes - 1}"
        )
        self._refuse(self.tails == self.heads, "ends", ends.T, "two different nodes")
        self._refuse(~(self.means >= 0) | np.isinf(self.means), "mean", self.means, "a number that is not negative")
        positive = "a positive number, a small one for an edge that always takes the same time"
        self._refuse(~(self.variances > 0) | np.isinf(self.variances), "variance", self.variances, positive)
        if self.factor is not None:
            self._refuse(~np.isfinite(self.factor).all(1), "factor", self.factor, "finite numbers")
        self._refuse_doubles()
        self._refuse_disconnected()

    def label(self, node: int) -> str:
        """Name of a node."""
        return str(node) if self.labels is None else self.labels[node]

    def edge_label(self, edge: int) -> str:
        """Names of an edge's ends."""
        return f"{self.label(int(self.tails[edge]))} - {self.label(int(self.heads[edge]))}"

    def _refuse(self, wrong: np.ndarray | np.bool, field: str, values: np.ndarray, expected: str) -> None:
        if wrong.any():
            edge = int(np.argmax(wrong))
            at = f" ({self.edge_label(edge)})" if field != "ends" or expected.startswith("two") else ""
            raise InvalidProblem(
                f"{self.name}: edge {edge}{at}: {field} is {values[edge].tolist()}; expected {expected}"
            )

    def _refuse_doubles(self) -> None:
        low, high = np.minimum(self.tails, self.heads), np.maximum(self.tails, self.heads)
        _, first, inverse = np.unique(low * self.nodes + high, return_index=True, return_inverse=True)
        double = np.flatnonzero(first[inverse] < np.arange(self.variables))
        if len(double):
            edge = int(double[0])
            raise InvalidProblem(
                f"{self.name}: edges {first[inverse][edge]} and {edge} both join {self.edge_label(edge)}; an edge runs both "
                "ways and stands once"
            )

    def _refuse_disconnected(self) -> None:
        ones = np.ones(self.variables)
        graph = coo_array((ones, (self.tails, self.heads)), shape=(self.nodes, self.nodes)).tocsr()
        reached = breadth_first_order(graph, self.source, directed=False, return_predecessors=False)
        if self.target not in reached:
            raise InvalidProblem(
                f"{self.name}: no path leads from '{self.label(self.source)}' to '{self.label(self.target)}'; from the "
                f"source {len(reached)} of {self.nodes} nodes can be reached"
            )

    def moments(
        self, x: Float[np.ndarray, "batch variables"]
    ) -> tuple[Float[np.ndarray, " batch"], Float[np.ndarray, " batch"]]:
        """Mean and variance of the time of each row."""
        mean = (x * self.means).sum(1)  # row by row, so that a batch is the same as its rows
        variance = (x * self.variances).sum(1)
        if self.factor is not None:
            variance = variance + (self._loadings(x) ** 2).sum(1)
        return mean, variance

    def _loadings(self, x: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, "batch factors"]:
        assert self.factor is not None
        return np.stack([(x * column).sum(1) for column in self.factor.T], axis=1)

    def scores(self, x: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, " batch"]:
        """Standard deviations between the mean and the deadline, positive where the mean is earlier."""
        mean, variance = self.moments(np.asarray(x, float))
        return (self.deadline - mean) / np.sqrt(variance)

    def query(self, x: Float[np.ndarray, "batch variables"]) -> Queried:
        """Loss and its gradient at any x in [0, 1]^edges, x = 0 aside; a batch is the same as its rows one by one."""
        x = np.asarray(x, float)
        mean, variance = self.moments(x)
        score = (self.deadline - mean) / np.sqrt(variance)
        of_variance = np.broadcast_to(self.variances, x.shape)
        if self.factor is not None:
            loadings = self._loadings(x)
            of_variance = of_variance + 2 * sum(loadings[:, [k]] * column for k, column in enumerate(self.factor.T))
        of_score = self.means / np.sqrt(variance)[:, None] + (score / (2 * variance))[:, None] * of_variance
        if self.loss == "score":
            return Queried(-score, of_score)
        density = np.exp(-(score**2) / 2) / np.sqrt(2 * np.pi)
        return Queried(-ndtr(score), density[:, None] * of_score)

    def assignment(self, x: Float[np.ndarray, " variables"]) -> Int[np.ndarray, " edges"]:
        """A vertex as whole numbers."""
        return np.rint(x).astype(np.int64)

    def values(self, x: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, " batch"]:
        """The loss of :meth:`query` without its gradient."""
        scores = self.scores(x)
        return -scores if self.loss == "score" else -ndtr(scores)

    def objective(self, assignment: Int[np.ndarray, " edges"]) -> float:
        """Probability of a path to arrive in time."""
        return float(ndtr(self.scores(assignment[None])[0]))

    def objective_of(self, x: Float[np.ndarray, " variables"], value: float) -> float:
        """The same, told from its loss."""
        return float(ndtr(-value)) if self.loss == "score" else -value

    def is_feasible(self, assignment: Int[np.ndarray, " edges"]) -> bool:
        """True for one simple path from the source to the target and nothing else."""
        assignment = np.asarray(assignment)
        if assignment.shape != (self.variables,) or not np.isin(assignment, (0, 1)).all():
            return False
        walk = self.walk(assignment)
        return walk[-1] == self.target and len(walk) == assignment.sum() + 1

    def walk(self, assignment: Int[np.ndarray, " edges"]) -> list[int]:
        """Nodes of a path in order, from the source to where it ends, comes to a fork or has been before."""
        at: dict[int, list[int]] = {}
        for edge in np.flatnonzero(assignment).tolist():
            tail, head = int(self.tails[edge]), int(self.heads[edge])
            at.setdefault(tail, []).append(head)
            at.setdefault(head, []).append(tail)
        walk, before = [self.source], -1
        while walk[-1] != self.target:
            ahead = [node for node in at.get(walk[-1], ()) if node != before]
            if len(ahead) != 1 or ahead[0] in walk:
                break
            before = walk[-1]
            walk.append(ahead[0])
        return walk

    def path(self, walk: list[int]) -> Int[np.ndarray, " edges"]:
        """Inverse of :meth:`walk`."""
        assignment = np.zeros(self.variables, np.int64)
        arcs = self.arcs
        for here, there in pairwise(walk):
            leaving = slice(arcs.starts[here], arcs.starts[here + 1])
            assignment[arcs.edges[leaving][arcs.heads[leaving] == there][0]] = 1
        return assignment
