"""The distance as one dense row, the last of the model."""

from __future__ import annotations

import numpy as np

from data.ilp.problem import ILP
from solvers.lns.ball.base import DEVEX, Ball, BallResult
from solvers.lns.distance import with_row
from solvers.milp.lp import PersistentLP


class ExplicitBall(Ball):
    """One LP per ball; the incumbent and k change the last row only."""

    has_row = True

    def __init__(self, problem: ILP, rows: np.ndarray) -> None:
        super().__init__(problem, rows)
        self._lp: PersistentLP | None = None

    def center(self, coefficients: np.ndarray, constant: float, incumbent: np.ndarray) -> None:
        self._coefficients, self._constant = coefficients, constant

    def solve(self, k: int, algorithm: str, crossover: bool, seconds: float) -> BallResult:
        side = k - self._constant
        if self._lp is None:
            self._lp = PersistentLP(with_row(self.part(), self._coefficients, -np.inf, side), DEVEX)
        else:
            self._lp.set_row(self._lp.m - 1, self._coefficients, -np.inf, side)
        if algorithm.endswith("simplex"):
            self.give_basis(self._lp)
        result = self._lp.solve(algorithm, crossover, seconds)
        self.take_basis(self._lp)
        return BallResult(result.status, result.x, result.reduced_costs)

    def extend(self, rows: np.ndarray) -> None:
        self.rows = np.concatenate([self.rows, rows])
        if self._lp is not None:
            problem = self.problem
            self._lp.delete_row(self._lp.m - 1)
            self._lp.add_rows(problem.A[rows], problem.row_lo[rows], problem.row_hi[rows])
            self._lp.add_row(self._coefficients, -np.inf, np.inf)  # solve() sets its side
