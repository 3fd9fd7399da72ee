"""Row generation: the rows of the problem that bind in the ball, found by solving without the others."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from data.ilp.problem import ILP
from data.ilp.root_lp import BasisStatus
from solvers.base import Status
from solvers.lns.ball.base import Ball, BallResult, Basis

VIOLATION = 1e-7
"""Times max(1, abs(side)): a row is added beyond this, the feasibility tolerance of the LP."""

MANY = 0.1
"""New rows, as a share of the old ones, beyond which an interior point method asked for at first is asked again."""


def binding_rows(problem: ILP, incumbent: np.ndarray, basis: Basis | None) -> np.ndarray:
    """(r,) rows to begin with, ascending: tight at the (n,) incumbent, or nonbasic in the vertex of the ball before.

    The incumbent is feasible and the ball small, so most rows that bind in it are tight at its centre.
    """
    slack = _slack(problem, incumbent)
    keep = slack <= VIOLATION
    if basis is not None:
        keep |= basis.rows != BasisStatus.BASIC
    return np.flatnonzero(keep)


def solve_by_generation(
    ball: Ball, solve: Callable[[str, float], BallResult], algorithm: str, seconds: float
) -> BallResult:
    """Solve, add every violated row, solve again, until none is violated: an optimum over all rows.

    Parameters
    ----------
    solve
        Solves ``ball`` by an algorithm within some seconds.
    algorithm
        For the first solve. The old vertex stays optimal in the dual when rows are added, so dual simplex follows; but
        where ``ipm`` comes first and many rows are new, it is ``ipm`` again.
    seconds
        Limit of all solves together.
    """
    problem, deadline = ball.problem, time.monotonic() + seconds
    first = algorithm
    while True:
        result = solve(algorithm, max(0.0, deadline - time.monotonic()))
        before = len(ball.rows)
        if result.status is Status.UNBOUNDED and before < problem.m:
            missing = np.setdiff1d(np.arange(problem.m), ball.rows)  # the rows that bound it may be any
        elif result.x is None:
            return result
        else:
            missing = np.flatnonzero(_slack(problem, result.x) < -VIOLATION)
            missing = np.setdiff1d(missing, ball.rows, assume_unique=True)
            if not len(missing):
                return result
        ball.extend(missing)
        algorithm = first if first == "ipm" and len(missing) > MANY * before else "dual_simplex"


def _slack(problem: ILP, x: np.ndarray) -> np.ndarray:
    """(m,) distance to the nearer side, over max(1, abs(side)); negative where violated."""
    activity = problem.A @ x
    below = (activity - problem.row_lo) / np.maximum(1.0, np.where(np.isfinite(problem.row_lo), abs(problem.row_lo), 1))
    above = (problem.row_hi - activity) / np.maximum(1.0, np.where(np.isfinite(problem.row_hi), abs(problem.row_hi), 1))
    return np.minimum(below, above)
