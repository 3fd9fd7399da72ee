"""LB-RELAX's differences as scores, to be mixed with a policy's (docs/papers/cl_lns.md#7.3)."""

from __future__ import annotations

import time

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.state import SearchState
from solvers.milp.lp import LPUnfinished


class LBRelaxScorer:
    """Score abs(xbar_j - x^t_j), xbar from the LP relaxation of local branching around the incumbent.

    Every LP is solved afresh, so that scores depend on the incumbent alone and a resumed search sees the same.

    Parameters
    ----------
    radius
        k of the local branching row; scores do not know the size of the neighbourhood.
    lp
        The LP of local branching with its options.

    Raises
    ------
    ConfigError
        ``radius`` < 1; for a problem: there is nothing that the distance could count.
    """

    def __init__(self, radius: int, lp: LocalBranchingLP | None = None) -> None:
        if not radius >= 1:
            raise ConfigError(f"scorer.radius is {radius}; the distance of local branching must be >= 1")
        self.radius = radius
        self.lp: LocalBranchingLP = lp or LocalBranchingLP()

    def prepare(self, problem: ILP, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._candidates = np.flatnonzero(problem.integer & (problem.lb < problem.ub))

    def scores(self, problem: ILP, incumbent: np.ndarray, history: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.abs(self.relaxed(problem, incumbent) - incumbent)

    def relaxed(self, problem: ILP, incumbent: np.ndarray) -> np.ndarray:
        """(n,) xbar around an incumbent of the prepared problem.

        Raises
        ------
        LPUnfinished
            It was not solved in time.
        """
        self.lp.prepare(problem)
        left = max(0.0, self._deadline - time.monotonic())
        objective = problem.objective(incumbent)
        state = SearchState(problem, self._candidates, incumbent, objective, remaining_seconds=left)
        relaxation = self.lp.relax(state, self.radius)
        if relaxation is None:
            raise LPUnfinished(f"{problem.name}: the LP of local branching was not solved; raise scorer.lp.seconds")
        return relaxation.x
