"""The blackbox gradient, averaged over noisy copies of the costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs.errors import at_least
from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.rules import interpolation as chosen
from solvers.differentiable.rules.interpolation import Interpolation, positive
from solvers.differentiable.rules.noise import Noise, draws, normal
from solvers.differentiable.rules.rule import Rule


class BlackboxSmoothed(Rule):
    """Mean of (g(c + e + lambda G) - g(c + e)) / lambda, or of (g(c + e + lambda G) - g(c + e - lambda G)) / 2 lambda.

    Parameters
    ----------
    interpolation
        lambda, or how it is chosen.
    copies
        M; a step takes 2 M more calls of the oracle.
    sigma
        Scale of the noise e.
    central
        Whether differences are taken to both sides.
    floor
        To what the moved costs are clipped below: 0 for shortest paths.
    noise
        Standard normal by default.

    Raises
    ------
    ConfigError
        A setting is out of range.
    """

    def __init__(
        self,
        interpolation: float | Interpolation,
        copies: int = 4,
        sigma: float = 1.0,
        central: bool = False,
        floor: float | None = None,
        noise: Noise = normal,
    ) -> None:
        at_least("rule.", copies=(copies, 1))
        self.interpolation = chosen.interpolation(interpolation)
        self.copies, self.sigma, self.central, self.noise = copies, positive("sigma", sigma), central, noise
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
        noisy = costs[:, None] + draws(self.noise, self.sigma, self.copies, costs, rngs)
        gradient, moving = np.zeros_like(costs), strengths > 0
        if moving.any():
            by = strengths[moving, None, None]
            along = by * slopes[moving, None]
            ahead = noisy[moving] + along
            behind = noisy[moving] - along if self.central else noisy[moving]
            both = np.maximum(np.concatenate([ahead, behind]), self.floor)
            answers = oracle(both.reshape(-1, costs.shape[1])).reshape(both.shape)
            difference = answers[: len(by)] - answers[len(by) :]
            gradient[moving] = difference.mean(axis=1) / (by[:, 0] * (2 if self.central else 1))
        return gradient
