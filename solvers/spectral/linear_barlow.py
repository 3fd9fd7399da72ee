"""Barlow Twins of two linear encoders, to be held against canonical correlation analysis."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from data.pairs.linear_views import LinearViews
from models.ssl.parts.losses.barlow import barlow_twins
from runs.errors import ConfigError
from solvers.spectral.lbfgs import minimise
from solvers.spectral.references import whitened


class LinearBarlow:
    """Minimises Barlow Twins over one matrix per view (docs/papers/ssl.md#6.1).

    The loss sees the projections only, so the views are whitened first: the same minima, better conditioned. Where the
    residual of the K x K cross-correlation is regular, stationarity makes each encoder's span invariant under the canonical
    correlations, hence a span of canonical directions. A small ``redundancy`` makes leaning on the strongest directions
    cheaper than using K of them.

    Parameters
    ----------
    dimension
        K.
    redundancy
        Weight of the squared correlations off the diagonal.
    iterations
        Of L-BFGS.

    Raises
    ------
    ConfigError
        A number is not positive.
    """

    def __init__(self, dimension: int, redundancy: float, iterations: int = 3000) -> None:
        if dimension < 1 or iterations < 1 or not redundancy > 0:
            raise ConfigError(
                f"dimension is {dimension}, redundancy {redundancy}, iterations {iterations}; all must be positive"
            )
        self.dimension, self.redundancy, self.iterations = dimension, redundancy, iterations

    def encode(
        self, views: LinearViews, rng: np.random.Generator
    ) -> tuple[Float[np.ndarray, "samples K"], Float[np.ndarray, "samples K"]]:
        """Projections of both views, of unit variance up to the loss' epsilon.

        Raises
        ------
        ConfigError
            The views have fewer than K dimensions.
        SolverFailure
            The search left the finite numbers.
        """
        first, second = (torch.from_numpy(whitened(view)) for view in (views.first, views.second))
        d = first.shape[1]
        if self.dimension > d:
            raise ConfigError(f"dimension is {self.dimension}, more than the {d} dimensions of the views")

        def loss(encoders: np.ndarray) -> tuple[float, np.ndarray]:
            with torch.inference_mode(False), torch.enable_grad():
                weights = torch.tensor(encoders, requires_grad=True)
                value = barlow_twins(first.clone() @ weights[0], second.clone() @ weights[1], self.redundancy)
                (gradient,) = torch.autograd.grad(value, weights)
            return value.item(), gradient.numpy()

        found = minimise(loss, rng.normal(size=(2, d, self.dimension)), self.iterations)
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        return first.numpy() @ found[0], second.numpy() @ found[1]


def numerical_rank(projections: Float[np.ndarray, "samples K"]) -> float:
    """exp of the entropy of the shares of the covariance's eigenvalues: K for uncorrelated projections, 1 for copies."""
    from scipy.special import entr

    values = np.clip(np.linalg.eigvalsh(np.atleast_2d(np.cov(projections, rowvar=False))), 0, None)
    return float(np.exp(entr(values / values.sum()).sum()))
