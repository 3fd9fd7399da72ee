"""What scorers that look at the root LP share."""

from __future__ import annotations

from data.ilp.problem import ILP
from solvers.milp.root_lp import solve_root_lp


class RootScorer:
    """Abstract: solves the root LP once; a subclass makes scores of it.

    Parameters
    ----------
    algorithm
        As in :func:`solvers.milp.root_lp.solve_root_lp`.
    """

    def __init__(self, algorithm: str = "auto") -> None:
        self.algorithm = algorithm

    def prepare(self, problem: ILP, seconds: float) -> None:
        self._lp = solve_root_lp(problem, seconds, self.algorithm)
