"""RENS: relaxation enforced neighbourhood search (Berthold, 2014)."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from solvers.lns.destroy.draw import preferred
from solvers.lns.root_relaxation import RootRelaxation
from solvers.lns.state import Destroy, SearchState, Selection


@final
class RENS(Destroy):
    """Search among the roundings of x^LP: integral values are fixed, fractional ones go up or down.

    The incumbent enters by the cut-off only. Where fewer than ``k`` values are fractional, random others are freed within
    their own bounds, so that the neighbourhood changes and grows with k like every other.

    Parameters
    ----------
    lp
        The LP relaxation with its options.

    References
    ----------
    T. Berthold: RENS, the optimal rounding. Math. Program. Comput. 6 (2014).
    """

    def __init__(self, lp: RootRelaxation | None = None) -> None:
        self.lp: RootRelaxation = lp or RootRelaxation()

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        root = self.lp.solution(state)
        if root is None:
            return Selection.nothing(state)
        problem = state.problem
        nearest = np.rint(root)
        fractional = state.candidates[np.abs(root - nearest)[state.candidates] > 1e-6]
        size = max(k, len(fractional))
        free = np.zeros(problem.n, bool)
        free[preferred(fractional, state.candidates, size, True, rng)] = True
        rounded = np.zeros(problem.n, bool)
        rounded[fractional] = True
        fixed = problem.integer & ~free
        lb = np.where(rounded, np.maximum(problem.lb, np.floor(root)), np.where(fixed, nearest, problem.lb))
        ub = np.where(rounded, np.minimum(problem.ub, np.ceil(root)), np.where(fixed, nearest, problem.ub))
        return Selection(free, within=replace(problem, lb=lb, ub=ub))
