"""A control without learning: what the root LP would pay for (docs/papers/cl_lns.md#7.3)."""

from __future__ import annotations

import numpy as np

from data.ilp.problem import ILP
from solvers.lns.scorers.root import RootScorer


class ReducedCost(RootScorer):
    """Score -d_j of the root LP: first the variables it would like to raise. The same for every incumbent."""

    def scores(self, problem: ILP, incumbent: np.ndarray, history: tuple[np.ndarray, ...]) -> np.ndarray:
        return -self._lp.reduced_costs
