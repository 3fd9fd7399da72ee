"""Spectral contrastive learning of free embeddings: a factorisation of the normalised graph of positive pairs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from data.pairs.graph import PairGraph
from runs.errors import ConfigError
from solvers.spectral.lbfgs import minimise


class SpectralContrastive:
    """Minimises ``||D^-1/2 G D^-1/2 - Z Z^T||_F^2`` over Z (n, K), no network between (docs/papers/ssl.md#(21)).

    With f_i = z_i / sqrt(d_i) and D of trace 1 this is, up to a constant, -2 E f_i . f_j over positive pairs plus
    E (f_i . f_j)^2 over independent nodes: the loss of spectral contrastive learning.

    Parameters
    ----------
    dimension
        K.
    iterations
        Of L-BFGS.

    Raises
    ------
    ConfigError
        K or the iterations are not positive.
    """

    def __init__(self, dimension: int, iterations: int = 5000) -> None:
        for name, value in (("dimension", dimension), ("iterations", iterations)):
            if value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1")
        self.dimension, self.iterations = dimension, iterations

    def embed(self, graph: PairGraph, rng: np.random.Generator) -> Float[np.ndarray, "n K"]:
        """Z from a small random start.

        Raises
        ------
        SolverFailure
            The search left the finite numbers.
        """
        A = graph.normalised
        start = 0.1 * rng.normal(size=(graph.nodes, self.dimension))
        return minimise(lambda Z: factorisation_loss(A, Z), start, self.iterations)


def factorisation_loss(
    A: Float[np.ndarray, "n n"], Z: Float[np.ndarray, "n K"]
) -> tuple[float, Float[np.ndarray, "n K"]]:
    """``||A - Z Z^T||_F^2`` for a symmetric A, and its gradient in Z."""
    AZ, S = A @ Z, Z.T @ Z
    return np.sum(A * A) - 2 * np.sum(Z * AZ) + np.sum(S * S), 4 * (Z @ S - AZ)
