"""The derivative of the relaxed program with a quadratic term."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from solvers.differentiable import regularised_lp
from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.rules.rule import Rule


class RegularisedLP(Rule):
    """J' G, where J is the derivative of argmin c'x + mu/2 ||x||^2 over the relaxed feasible set; no oracle call.

    The answer itself remains the oracle's: the quadratic term serves its derivative alone.

    Parameters
    ----------
    mu
        Weight of the quadratic term. A vertex of the relaxed program has no derivative; costs of the size of mu are where it
        lies inside, so that 1 is right for costs of about 1 (``relaxed_lp``).

    Raises
    ------
    ConfigError
        mu is not above 0.
    """

    def __init__(self, mu: float = 1.0) -> None:
        self.program = regularised_lp.RegularisedLP(mu)

    def gradient(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
        rngs: Sequence[np.random.Generator],
    ) -> Float[np.ndarray, "batch variables"]:
        faces = self.program.solve(costs, oracle.problem).faces
        return self.program.pullback(faces, slopes, oracle.problem)
