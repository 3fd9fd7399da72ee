"""What spectral theory says the optima are: eigenvectors, eigenmaps and canonical directions, by dense decompositions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from data.pairs.graph import PairGraph
from data.pairs.linear_views import LinearViews


def top_eigenvectors(graph: PairGraph, K: int) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, "n K"]]:
    """The K largest eigenvalues of D^-1/2 G D^-1/2, decreasing, and their eigenvectors."""
    values, vectors = np.linalg.eigh(graph.normalised)
    return values[: -K - 1 : -1], vectors[:, : -K - 1 : -1]


def eigenmaps(graph: PairGraph, K: int) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, "n K"]]:
    """The K smallest eigenvalues of L, increasing, but for the zero of the constant vector; and their eigenvectors."""
    values, vectors = np.linalg.eigh(graph.laplacian)
    return values[1 : K + 1], vectors[:, 1 : K + 1]


def whitened(view: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """An orthonormal basis of the column space of a centred view, times sqrt(n): its covariance is the identity."""
    return np.linalg.qr(view)[0] * np.sqrt(len(view))


def canonical_variates(
    views: LinearViews,
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "n d"], Float[np.ndarray, "n d"]]:
    """Canonical correlations, decreasing, and the variates of both views in their order."""
    first, second = whitened(views.first), whitened(views.second)
    left, correlations, right = np.linalg.svd(first.T @ second / len(first))
    return correlations, first @ left, second @ right.T


def largest_angle(first: Float[np.ndarray, "n k"], second: Float[np.ndarray, "n k"]) -> float:
    """The largest principal angle between two column spaces, in degrees."""
    from scipy.linalg import subspace_angles

    return float(np.degrees(subspace_angles(first, second).max()))
