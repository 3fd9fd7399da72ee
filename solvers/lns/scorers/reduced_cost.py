"""A control without learning: what the root LP would pay for (section 8 of the CL-LNS page)."""

from __future__ import annotations

import numpy as np

from data.ilp.problem import ILP
from solvers.milp.root_lp import solve_root_lp


class ReducedCost:
    """Score -d_j of the root LP: first the variables it would like to raise. The same for every incumbent.

    Parameters
    ----------
    algorithm
        As in :func:`solvers.milp.root_lp.solve_root_lp`.
    """

    def __init__(self, algorithm: str = "auto") -> None:
        self.algorithm = algorithm

    def prepare(self, problem: ILP, seconds: float) -> None:
        self._lp = solve_root_lp(problem, seconds, self.algorithm)

    def scores(self, problem: ILP, incumbent: np.ndarray, history: tuple[np.ndarray, ...]) -> np.ndarray:
        return -self._lp.reduced_costs
