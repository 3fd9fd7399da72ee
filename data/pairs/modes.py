"""Where a pair of linear networks starts: the eigenvalues of predictor and correlation, mode by mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Modes:
    """d modes, in a common eigenbasis of both matrices.

    Parameters
    ----------
    name
        Of the instance.
    predictor, correlation
        (d,) eigenvalues p of the predictor, and s > 0 of F = W W^T.
    """

    name: str
    predictor: Float[np.ndarray, " d"]
    correlation: Float[np.ndarray, " d"]


def random_modes(
    name: str,
    rng: np.random.Generator,
    dimension: int,
    predictor: Sequence[float],
    correlation: Sequence[float],
) -> Modes:
    """p uniform and s log-uniform on the given intervals.

    Raises
    ------
    ConfigError
        There is no mode, or an interval is no interval of its kind.
    """
    if dimension < 1:
        raise ConfigError(f"data.maker.dimension is {dimension}; give at least one mode")
    for key, interval, least in (("predictor", predictor, -np.inf), ("correlation", correlation, 0.0)):
        low, high = interval
        if not least < low <= high < np.inf:
            raise ConfigError(
                f"data.maker.{key} is {list(interval)}; expected [low, high] with {least:g} < low <= high"
            )
    p = rng.uniform(predictor[0], predictor[1], size=dimension)
    low, high = np.log(correlation)
    return Modes(name, p, np.exp(rng.uniform(low, high, size=dimension)))
