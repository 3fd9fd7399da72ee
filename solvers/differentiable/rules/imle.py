"""Implicit maximum likelihood: perturbed answers to the costs against those to the target's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs.errors import at_least
from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.rules.blackbox_smoothed import BlackboxSmoothed
from solvers.differentiable.rules.interpolation import positive
from solvers.differentiable.rules.noise import SumOfGamma
from solvers.differentiable.rules.rule import Rule


class Imle(Rule):
    """Mean of g(c + e + lambda G) - g(c + e) under Sum-of-Gamma noise: lambda times the smoothed blackbox gradient.

    Parameters
    ----------
    interpolation
        lambda of the target distribution.
    k
        How many variables are 1 in a feasible x, about.
    copies
        Draws of the noise; a step takes twice as many calls of the oracle.
    sigma
        Scale of the noise, the authors' temperature.

    Raises
    ------
    ConfigError
        A setting is out of range.

    References
    ----------
    Niepert, Minervini, Franceschi, Implicit MLE: backpropagating through discrete exponential family distributions,
    NeurIPS 2021.
    """

    def __init__(
        self, interpolation: float, k: int, copies: int = 4, sigma: float = 1.0, floor: float | None = None
    ) -> None:
        at_least("rule.", k=(k, 1))
        self.strength = positive("interpolation", interpolation)
        self.smoothed = BlackboxSmoothed(interpolation, copies, sigma, floor=floor, noise=_Negative(SumOfGamma(k)))

    def gradient(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
        rngs: Sequence[np.random.Generator],
    ) -> Float[np.ndarray, "batch variables"]:
        return self.strength * self.smoothed.gradient(costs, x, slopes, oracle, rngs)


class _Negative:
    """The authors' noise is on rewards."""

    def __init__(self, noise: SumOfGamma) -> None:
        self.noise = noise

    def __call__(self, rng: np.random.Generator, shape: tuple[int, int]) -> Float[np.ndarray, "copies variables"]:
        return -self.noise(rng, shape)
