"""The convex surrogate of the regret where the true costs are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.rules.rule import Rule


class SpoPlus(Rule):
    """A subgradient of SPO+, 2 (g(t) - g(2 c - t)) for true costs t; the loss itself is only read for t.

    Parameters
    ----------
    true_costs
        (variables,) t; by default dloss/dx, which is t where the loss is linear, and its linearisation at x elsewhere.

    References
    ----------
    Elmachtoub, Grigas, Smart "predict, then optimize", Management Science 68 (2022).
    """

    def __init__(self, true_costs: ArrayLike | None = None) -> None:
        self.true_costs = None if true_costs is None else np.asarray(true_costs, np.float64)

    def gradient(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
        rngs: Sequence[np.random.Generator],
    ) -> Float[np.ndarray, "batch variables"]:
        true = slopes if self.true_costs is None else np.broadcast_to(self.true_costs, costs.shape)
        answers = oracle(np.concatenate([true, 2 * costs - true]))
        return 2 * (answers[: len(costs)] - answers[len(costs) :])
