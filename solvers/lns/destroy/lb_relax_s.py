"""LB-RELAX-S: each variable independently, the more probably the more the LP moves it."""

from __future__ import annotations

from typing import final

import numpy as np

from runs.errors import ConfigError
from solvers.lns.destroy.local_branching_relaxation import LocalBranchingRelaxation
from solvers.lns.local_branching_lp import LocalBranchingLP


@final
class LBRelaxS(LocalBranchingRelaxation):
    """Free j with probability (1 - 2 eps) Delta_j + eps, whatever ``k`` is (docs/papers/lb_relax.md#(5)).

    The size of the neighbourhood is random, at least eps |I| on average. Delta of general integers is cut at 1.

    Parameters
    ----------
    eps
        In [0, 0.5).
    lp
        The LP of local branching with its options.
    """

    def __init__(self, eps: float = 0.05, lp: LocalBranchingLP | None = None) -> None:
        if not 0 <= eps < 0.5:
            raise ConfigError(f"destroy.eps is {eps}; it must lie in [0, 0.5) (the paper's is 0.05)")
        super().__init__(lp)
        self.eps = eps

    def draw(self, delta: np.ndarray, reduced: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
        probability = (1 - 2 * self.eps) * np.minimum(delta, 1.0) + self.eps
        return np.flatnonzero(rng.random(len(delta)) < probability)
