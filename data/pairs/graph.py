"""Graphs of positive pairs: nodes are examples, weights say how often two of them are views of one thing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError, InvalidProblem


@dataclass(frozen=True, eq=False)
class PairGraph:
    """A weighted graph without self-pairs.

    Parameters
    ----------
    name
        Of the instance.
    weights
        (n, n) symmetric, not negative; G of the theory.
    """

    name: str
    weights: Float[np.ndarray, "n n"]

    def validate(self) -> PairGraph:
        """The graph itself.

        Raises
        ------
        InvalidProblem
            The weights are no graph of pairs, or a node has no partner.
        """
        G = self.weights
        if G.ndim != 2 or G.shape[0] != G.shape[1]:
            raise InvalidProblem(f"{self.name}: weights have the shape {G.shape}; expected a square matrix")
        if not np.isfinite(G).all() or (G < 0).any():
            raise InvalidProblem(f"{self.name}: weights must be finite and not negative")
        if not np.array_equal(G, G.T) or np.diag(G).any():
            raise InvalidProblem(f"{self.name}: weights must be symmetric, with zeros on the diagonal")
        if lonely := np.flatnonzero(G.sum(1) == 0).tolist():
            raise InvalidProblem(f"{self.name}: node {lonely[0]} has no partner; every node needs a positive pair")
        return self

    @property
    def nodes(self) -> int:
        """n."""
        return len(self.weights)

    def trace(self, Z: Float[np.ndarray, "n K"]) -> float:
        """``Tr(Z^T L Z) / (n - 1)``: how much the embeddings differ along the pairs."""
        return float(np.sum(Z * (self.laplacian @ Z)) / (self.nodes - 1))

    @property
    def degrees(self) -> Float[np.ndarray, " n"]:
        """Row sums, the diagonal of D."""
        return self.weights.sum(1)

    @property
    def normalised(self) -> Float[np.ndarray, "n n"]:
        """D^-1/2 G D^-1/2."""
        root = np.sqrt(self.degrees)
        return self.weights / np.outer(root, root)

    @property
    def laplacian(self) -> Float[np.ndarray, "n n"]:
        """L = D - G."""
        return np.diag(self.degrees) - self.weights


def block_graph(
    name: str, rng: np.random.Generator, nodes: int, blocks: int, inside: float, outside: float
) -> PairGraph:
    """A random graph of equal blocks: each pair is positive with a probability, its weight uniform on [0.5, 1.5].

    Parameters
    ----------
    name, rng
        Of the instance.
    nodes, blocks
        Number of nodes, and of blocks among which they take turns.
    inside, outside
        Probability of a pair within a block, and between two.

    Raises
    ------
    ConfigError
        A number makes no graph of blocks.
    InvalidProblem
        The draw left a node without a partner.
    """
    if not 1 <= blocks <= nodes // 2:
        raise ConfigError(f"data.maker.blocks is {blocks}; expected at least 1 and at most half of the {nodes} nodes")
    for key, value in (("inside", inside), ("outside", outside)):
        if not 0 <= value <= 1:
            raise ConfigError(f"data.maker.{key} is {value}; expected a probability")
    block = np.arange(nodes) % blocks
    probability = np.where(block[:, None] == block, inside, outside)
    upper = np.triu(rng.random((nodes, nodes)) < probability, 1) * rng.uniform(0.5, 1.5, (nodes, nodes))
    return PairGraph(name, upper + upper.T).validate()
