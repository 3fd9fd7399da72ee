"""Interpolation of the loss: (g(c + lambda G) - g(c)) / lambda."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.rules import interpolation as chosen
from solvers.differentiable.rules.interpolation import Interpolation
from solvers.differentiable.rules.rule import Rule


class Blackbox(Rule):
    """The gradient of the piecewise affine interpolation of the linearised loss; one more call of the oracle.

    Parameters
    ----------
    interpolation
        lambda, or how it is chosen.
    floor
        To what the moved costs are clipped below: 0 for shortest paths.

    Raises
    ------
    ConfigError
        lambda is not above 0.

    References
    ----------
    Pogancic, Paulus, Musil, Martius, Rolinek, Differentiation of blackbox combinatorial solvers, ICLR 2020.
    """

    def __init__(self, interpolation: float | Interpolation, floor: float | None = None) -> None:
        self.interpolation = chosen.interpolation(interpolation)
        self.floor = -np.inf if floor is None else floor

    def gradient(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
        rngs: Sequence[np.random.Generator],
    ) -> Float[np.ndarray, "batch variables"]:
        strengths = self.interpolation.strengths(costs, x, slopes, oracle)
        gradient, moving = np.zeros_like(costs), strengths > 0
        if moving.any():
            by = strengths[moving, None]
            moved = oracle(np.maximum(costs[moving] + by * slopes[moving], self.floor))
            gradient[moving] = (moved - x[moving]) / by
        return gradient
