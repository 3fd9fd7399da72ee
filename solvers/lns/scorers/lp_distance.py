"""A control without learning: distance from the root LP (docs/papers/cl_lns.md#7.3)."""

from __future__ import annotations

import numpy as np

from data.ilp.problem import ILP
from solvers.lns.scorers.root import RootScorer


class LPDistance(RootScorer):
    """Score abs(x^LP_j - x^t_j): first the variables in which the incumbent is farthest from the root LP."""

    def scores(self, problem: ILP, incumbent: np.ndarray, history: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.abs(self._lp.x - incumbent)
