"""Batches of embeddings of two views, for what a loss says of one batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError


@dataclass(frozen=True, eq=False)
class EmbeddingPair:
    """Two views of a batch.

    Parameters
    ----------
    name
        Of the instance.
    first, second
        (batch, dimension), neither centred nor normalised.
    """

    name: str
    first: Float[np.ndarray, "batch dimension"]
    second: Float[np.ndarray, "batch dimension"]


def random_embeddings(name: str, rng: np.random.Generator, batch: int, dimension: int, noise: float) -> EmbeddingPair:
    """Normal embeddings, each view with normal noise of its own, lengths uniform on [0.5, 2].

    Raises
    ------
    ConfigError
        There are no negatives, no dimensions, or a negative noise.
    """
    if batch < 2 or dimension < 1 or noise < 0:
        raise ConfigError(f"batch is {batch} (>= 2), dimension {dimension} (>= 1), noise {noise} (>= 0)")
    shared = rng.normal(size=(batch, dimension))
    first, second = (
        (shared + noise * rng.normal(size=shared.shape)) * rng.uniform(0.5, 2.0, size=(batch, 1)) for _ in range(2)
    )
    return EmbeddingPair(name, first, second)
