"""Two views of one Gaussian, linearly mixed: what linear networks can find in them is canonical correlation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError


@dataclass(frozen=True, eq=False)
class LinearViews:
    """Samples of two views.

    Parameters
    ----------
    name
        Of the instance.
    first, second
        (samples, dimensions), centred.
    """

    name: str
    first: Float[np.ndarray, "samples dimensions"]
    second: Float[np.ndarray, "samples dimensions"]


def linear_views(name: str, rng: np.random.Generator, samples: int, correlations: Sequence[float]) -> LinearViews:
    """Views whose canonical correlations are, but for sampling, the given ones; each is mixed by a random matrix.

    Raises
    ------
    ConfigError
        A correlation is outside [0, 1), or there are too few samples to tell the dimensions apart.
    """
    rho = np.asarray(correlations, dtype=float)
    if not rho.size or not ((rho >= 0) & (rho < 1)).all():
        raise ConfigError(f"correlations are {list(correlations)}; give numbers in [0, 1)")
    if samples < 4 * len(rho):
        raise ConfigError(f"samples is {samples}; give at least 4 per dimension, {4 * len(rho)}")
    shared = rng.normal(size=(samples, len(rho)))
    views = [
        (np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.normal(size=shared.shape)) @ rng.normal(size=(len(rho),) * 2)
        for _ in range(2)
    ]
    first, second = (view - view.mean(0) for view in views)
    return LinearViews(name, first, second)
