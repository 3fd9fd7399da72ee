"""VICReg of free embeddings: Laplacian eigenmaps with the constraint turned into a price."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from data.pairs.graph import PairGraph
from runs.errors import ConfigError, at_least
from solvers.spectral.lbfgs import minimise
from solvers.spectral.references import eigenmaps

ROUNDINGS = 1.0, 0.1, 1e-2, 1e-3
"""Widths over which the hinge's corner is rounded, one after the other: at a sharp corner L-BFGS gets stuck."""
STARTS = 16
"""A third of random starts reach the lowest optimum of graphs that were looked at."""
EPSILON = 1e-4
"""Added to variances under the root, as in VICReg."""


class GraphVICReg:
    """Minimises ``2 Tr(Z^T L Z) / n + w (mean_d relu(1 - std_d) + sum_{i != j} C_ij^2 / K)`` over Z (n, K).

    The first term is the invariance ``sum_ij G_ij |z_i - z_j|^2 / n``; std and C are unbiased
    (docs/papers/ssl.md#(13), #(22)).
    Uncorrelated embeddings that span the eigenmaps with one std c for all dimensions cost 2 c^2 sum_k lambda_k + w (1 - c)
    (but for n / (n - 1)), so the hinge holds c at 1 only where w is at least 4 sum_k lambda_k. Where w is less, correlated
    embeddings may cost less than these, and there are several optima: the best of some starts is taken.

    Parameters
    ----------
    dimension
        K.
    weight
        w, of the variance and the covariance term over the invariance.
    iterations
        Of L-BFGS, for each rounding.
    roundings
        Of the hinge, decreasing.
    starts
        How many, where w is below 4 sum_k lambda_k.

    Raises
    ------
    ConfigError
        A number is not positive, or K is below 2: a covariance needs two dimensions.
    """

    def __init__(
        self,
        dimension: int,
        weight: float,
        iterations: int = 3000,
        roundings: Sequence[float] = ROUNDINGS,
        starts: int = STARTS,
    ) -> None:
        if dimension < 2:
            raise ConfigError(f"dimension is {dimension}; a covariance needs at least 2")
        if not weight > 0 or iterations < 1 or not roundings or not all(width > 0 for width in roundings):
            raise ConfigError(
                f"weight is {weight}, iterations {iterations}, roundings {list(roundings)}; all must be positive"
            )
        at_least("", starts=(starts, 1))
        self.dimension, self.weight, self.iterations, self.roundings = dimension, weight, iterations, roundings
        self.starts = starts

    def embed(self, graph: PairGraph, rng: np.random.Generator) -> Float[np.ndarray, "n K"]:
        """Z from random starts of unit variance.

        Raises
        ------
        SolverFailure
            The search left the finite numbers.
        """
        strong = self.weight >= 4 * eigenmaps(graph, self.dimension)[0].sum()
        found = [self._optimum(graph, rng) for _ in range(1 if strong else self.starts)]
        return min(found, key=lambda Z: graph_vicreg_loss(graph.laplacian, Z, self.weight, 0.0)[0])

    def _optimum(self, graph: PairGraph, rng: np.random.Generator) -> Float[np.ndarray, "n K"]:
        L = graph.laplacian
        Z = rng.normal(size=(graph.nodes, self.dimension))
        for width in self.roundings:
            Z = minimise(lambda Z, width=width: graph_vicreg_loss(L, Z, self.weight, width), Z, self.iterations)  # type: ignore[misc]
        return Z


def graph_vicreg_loss(
    L: Float[np.ndarray, "n n"], Z: Float[np.ndarray, "n K"], weight: float, rounding: float
) -> tuple[float, Float[np.ndarray, "n K"]]:
    """The loss and its gradient; the hinge is a parabola over ``rounding`` below its corner, and exact if that is 0."""
    n, K = Z.shape
    LZ, centred = L @ Z, Z - Z.mean(0)
    C = centred.T @ centred / (n - 1)
    std = np.sqrt(np.diag(C) + EPSILON)
    off = C - np.diag(np.diag(C))
    hinge, slope = rounded_hinge(1 - std, rounding)
    value = 2 * np.sum(Z * LZ) / n + weight * (hinge.mean() + np.sum(off * off) / K)
    gradient = 4 * LZ / n + weight / (K * (n - 1)) * (4 * centred @ off - centred * (slope / std))
    return value, gradient


def rounded_hinge(x: Float[np.ndarray, " K"], width: float) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """relu(x) with x^2 / (2 width) for 0 < x < width, shifted to meet it, and the slope."""
    if width == 0:
        return np.maximum(x, 0), (x > 0).astype(float)
    slope = np.clip(x / width, 0, 1)
    return slope * (x - width * slope / 2), slope
