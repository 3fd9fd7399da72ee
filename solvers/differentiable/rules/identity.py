"""The negative identity behind a projection of costs that the oracle does not see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.rules.rule import Rule


class Identity(Rule):
    """dloss/dc = -J' G, where J is the derivative of the projection of c; no oracle call.

    Parameters
    ----------
    centre
        Whether c - mean(c) is meant for c: right where all feasible x have equal sums.
    normalise
        Whether c / ||c|| is: right everywhere, since only the direction of c counts.

    References
    ----------
    Sahoo, Paulus, Vlastelica, Musil, Kuleshov, Martius, Backpropagation through combinatorial algorithms: identity with
    projection works, ICLR 2023.
    """

    def __init__(self, centre: bool = False, normalise: bool = False) -> None:
        self.centre, self.normalise = centre, normalise

    def gradient(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
        rngs: Sequence[np.random.Generator],
    ) -> Float[np.ndarray, "batch variables"]:
        gradient = -slopes
        if self.normalise:
            shown = _centred(costs) if self.centre else costs
            length = np.linalg.norm(shown, axis=1, keepdims=True)
            length[length == 0] = 1.0
            unit = shown / length
            gradient = (gradient - unit * (unit * gradient).sum(axis=1, keepdims=True)) / length
        return _centred(gradient) if self.centre else gradient


def _centred(rows: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, "batch variables"]:
    return rows - rows.mean(axis=1, keepdims=True)
