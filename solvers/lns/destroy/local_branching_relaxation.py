"""What all LB-RELAX variants share: the LP, the differences Delta, and the iteration that the LP bound saves."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np

from solvers.lns.local_branching_lp import LocalBranchingLP, Relaxation
from solvers.lns.state import Destroy, SearchState, Selection

PROOF = 1e-9
"""The LP excludes an improvement when its value is within this of the incumbent's (docs/papers/lb_relax.md#3.7)."""


class LocalBranchingRelaxation(Destroy):
    """Solve the LP relaxation of local branching, then :meth:`draw` variables by Delta_j = abs(xbar_j - x_j).

    When the LP bound shows that no assignment within distance k improves, and the drawn set cannot leave that ball, no
    sub-ILP is solved and k grows. At the cap the sub-ILP is solved all the same, since moves to equal value may help.

    Parameters
    ----------
    lp
        The LP of local branching with its options.
    """

    def __init__(self, lp: LocalBranchingLP | None = None) -> None:
        self.lp: LocalBranchingLP = lp or LocalBranchingLP()

    @abstractmethod
    def draw(self, delta: np.ndarray, reduced: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
        """Positions to free, given ``delta`` (|I|,) and absolute reduced costs (|I|,) of the candidates."""

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        relaxation = self.lp.relax(state, k)
        if relaxation is None:
            return Selection.nothing(state)
        values = relaxation.x[state.candidates]
        delta = np.abs(values - state.incumbent[state.candidates])
        share = float(np.mean(np.abs(values - np.rint(values)) <= 1e-6))
        reduced = np.abs(relaxation.reduced_costs[state.candidates])
        selection = Selection.of(state, state.candidates[self.draw(delta, reduced, k, rng)], share)
        if not state.at_cap and self._excluded(relaxation, state, selection):
            return replace(selection, repair=False)
        return selection

    def _excluded(self, relaxation: Relaxation, state: SearchState, selection: Selection) -> bool:
        counted = self.lp.counted & selection.free
        reach = (state.problem.ub - state.problem.lb)[counted].sum()
        return bool(relaxation.objective >= state.objective - PROOF and reach <= relaxation.k)
