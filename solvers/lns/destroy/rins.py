"""RINS: variables on which the incumbent and the LP relaxation disagree (Danna, Rothberg and Le Pape, 2005)."""

from __future__ import annotations

from typing import final

import numpy as np

from solvers.lns.destroy.draw import DIFFERENT, preferred
from solvers.lns.root_relaxation import RootRelaxation
from solvers.lns.state import Destroy, SearchState, Selection


@final
class RINS(Destroy):
    """Free ``k`` of D = {j : x^LP_j != x_j} uniformly, with the LP solved once (docs/papers/lb_relax.md#4.1).

    Parameters
    ----------
    fill
        Top up with random others to ``k`` when D is smaller.
    lp
        The LP relaxation with its options.
    """

    def __init__(self, fill: bool = True, lp: RootRelaxation | None = None) -> None:
        self.lp: RootRelaxation = lp or RootRelaxation()
        self.fill = fill

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        x = self.lp.solution(state)
        reference = state.incumbent if x is None else x
        differing = state.candidates[np.abs(reference - state.incumbent)[state.candidates] > DIFFERENT]
        return Selection.of(state, preferred(differing, state.candidates, k, self.fill, rng))
