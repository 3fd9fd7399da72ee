"""The negative control of LB-RELAX: the k variables that the LP moves least."""

from __future__ import annotations

from typing import final

import numpy as np

from solvers.lns.destroy.draw import largest
from solvers.lns.destroy.local_branching_relaxation import LocalBranchingRelaxation


@final
class LBRelaxLeast(LocalBranchingRelaxation):
    """Free the ``k`` smallest Delta, ties at random (docs/papers/lb_relax.md#3.6): must do worse than random."""

    def draw(self, delta: np.ndarray, reduced: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
        return largest(-delta, k, rng)
