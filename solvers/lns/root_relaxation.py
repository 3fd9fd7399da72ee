"""The LP relaxation of the whole problem, solved once per search."""

from __future__ import annotations

import logging

import numpy as np

from data.ilp.problem import ILP
from runs.errors import SolverFailure
from runs.record.checkpoint import State
from solvers.lns.state import SearchState
from solvers.milp.lp import PersistentLP

_MESSAGES = logging.getLogger(__name__)


class RootRelaxation:
    """x^LP of one problem, for RINS, DINS and RENS.

    Parameters
    ----------
    seconds
        Limit of the LP.
    algorithm
        As in :class:`solvers.milp.lp.PersistentLP`.
    """

    def __init__(self, seconds: float = 300.0, algorithm: str = "auto") -> None:
        self.seconds = seconds
        self.algorithm = algorithm

    def prepare(self, problem: ILP) -> None:
        """Forget the LP of an earlier problem."""
        self._x: np.ndarray | None = None
        self._solved = False

    def memory(self) -> State:
        return {"x": np.empty(0) if self._x is None else self._x} if self._solved else {}

    def restore(self, memory: State) -> None:
        if "x" in memory:
            self._solved = True
            self._x = memory["x"] if len(memory["x"]) else None

    def solution(self, state: SearchState) -> np.ndarray | None:
        """(n,) x^LP; None if the LP is unbounded, was not solved in time, or (with a warning) HiGHS failed on it."""
        if not self._solved:
            seconds = min(self.seconds, state.remaining_seconds)
            try:
                self._x = PersistentLP(state.problem).solve(seconds=seconds, algorithm=self.algorithm).x
            except SolverFailure as failure:
                _MESSAGES.warning("%s: the heuristic has no LP relaxation: %s", state.problem.name, failure)
            self._solved = True
        return self._x
