"""A control without learning: distance from the root LP (section 8 of the CL-LNS page)."""

from __future__ import annotations

import numpy as np

from data.ilp.problem import ILP
from solvers.milp.root_lp import solve_root_lp


class LPDistance:
    """Score abs(x^LP_j - x^t_j): first the variables in which the incumbent is farthest from the root LP.

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
        return np.abs(self._lp.x - incumbent)
