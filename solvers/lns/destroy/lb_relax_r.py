"""LB-RELAX-R: random variables among those that the LP relaxation of local branching moves at all."""

from __future__ import annotations

from typing import final

import numpy as np

from solvers.lns.destroy.draw import DIFFERENT, preferred
from solvers.lns.destroy.local_branching_relaxation import LocalBranchingRelaxation
from solvers.lns.local_branching_lp import LocalBranchingLP


@final
class LBRelaxR(LocalBranchingRelaxation):
    """Free ``k`` of D = {j : Delta_j > 1e-8} uniformly, or all of D if there are no more (docs/papers/lb_relax.md#3.6).

    Parameters
    ----------
    fill
        Top up with random others to ``k`` when D is smaller.
    lp
        The LP of local branching with its options.
    """

    def __init__(self, fill: bool = True, lp: LocalBranchingLP | None = None) -> None:
        super().__init__(lp)
        self.fill = fill

    def draw(self, delta: np.ndarray, reduced: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
        return preferred(np.flatnonzero(delta > DIFFERENT), np.arange(len(delta)), k, self.fill, rng)
