"""The derivative of the expected answer to noisy costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs.errors import at_least
from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.rules.interpolation import positive
from solvers.differentiable.rules.noise import draws, normal
from solvers.differentiable.rules.rule import Rule


class Perturbed(Rule):
    """An unbiased estimate of J' G, where J is the derivative of E[g(c + sigma z)] with z standard normal.

    The mean of z G'(g(c + sigma z) - x) / sigma; taking off x = g(c) leaves the mean as it is and lowers the variance.

    Parameters
    ----------
    copies
        Draws of z; a step takes as many calls of the oracle.
    sigma
        Scale of the noise.

    Raises
    ------
    ConfigError
        A setting is out of range.

    References
    ----------
    Berthet, Blondel, Teboul, Cuturi, Vert, Bach, Learning with differentiable perturbed optimizers, NeurIPS 2020.
    """

    def __init__(self, copies: int = 8, sigma: float = 1.0) -> None:
        at_least("rule.", copies=(copies, 1))
        self.copies, self.sigma = copies, positive("sigma", sigma)

    def gradient(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
        rngs: Sequence[np.random.Generator],
    ) -> Float[np.ndarray, "batch variables"]:
        noise = draws(normal, self.sigma, self.copies, costs, rngs)
        answers = oracle((costs[:, None] + noise).reshape(-1, costs.shape[1])).reshape(noise.shape)
        gains = ((answers - x[:, None]) * slopes[:, None]).sum(axis=2, keepdims=True)
        return (noise * gains).mean(axis=1) / self.sigma**2
