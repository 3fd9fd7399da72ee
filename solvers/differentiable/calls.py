"""An oracle on one problem, and what it was asked."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from runs.errors import SolverFailure
from solvers.differentiable.oracle import LinearOracle


class OracleCalls:
    """An oracle on one problem that counts.

    Attributes
    ----------
    calls
        How many costs it was asked for.
    inexact
        How many answers it did not know to be cheapest.
    """

    def __init__(self, oracle: LinearOracle, problem: Any) -> None:
        self.oracle, self.problem = oracle, problem
        self.calls = self.inexact = 0

    def __call__(self, costs: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, "batch variables"]:
        """The cheapest feasible point for each row.

        Raises
        ------
        SolverFailure
            A cost is not finite, or the answer has another shape than the costs.
        """
        if not np.isfinite(costs).all():
            row, variable = np.argwhere(~np.isfinite(costs))[0]
            raise SolverFailure(f"the cost of variable {variable} is {costs[row, variable]}; take shorter steps")
        found = self.oracle.solve(costs, self.problem)
        if found.x.shape != costs.shape:
            raise SolverFailure(
                f"{type(self.oracle).__name__} answers costs of shape {costs.shape} with x of shape {found.x.shape}"
            )
        self.calls += len(costs)
        self.inexact += int(len(costs) - np.count_nonzero(found.exact))
        return np.asarray(found.x, np.float64)
