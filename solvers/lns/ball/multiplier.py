"""The distance priced by a multiplier instead of kept by a row."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from data.ilp.problem import ILP
from solvers.base import Status
from solvers.lns.ball.base import DEVEX, Ball, BallResult
from solvers.milp.lp import PersistentLP

STEPS = 200
"""Values of lambda tried before a search is given up; it ends by itself after a handful."""

NEAR = 0.1
"""Relative change of lambda up to which primal simplex goes on from the last vertex where cold solves were asked for."""

BACK = (0.99, 0.96, 0.84, 0.36, 0.0)
"""Factors on a guess of lambda that proved too large."""


@dataclass(frozen=True)
class Point:
    """A point of the polyhedron: (n,) ``x``, its cost ``c x`` and its distance from the incumbent."""

    x: np.ndarray
    cost: float
    distance: float

    def priced(self, price: float) -> float:
        return self.cost + price * self.distance


class MultiplierBall(Ball):
    """``min c x + lambda distance(x)`` with the lambda >= 0 at which the distance passes ``k``.

    ``L(lambda) = min_x c x + lambda (distance(x) - k)`` is concave and piecewise linear, and the distance of its
    minimiser a nonincreasing step function. At the maximum of L two vertices are optimal, one ``inner`` at a distance
    <= k and one ``outer`` beyond; on the segment between them the point at distance k costs ``max L``, so by duality it
    is an optimum of the LP with the row. It lies inside an edge of the polyhedron as the row's vertex does, but where
    several points are optimal it may be another one than the simplex method ends in: other Deltas, same bound.

    The maximum is bracketed by two points and approached where their lines ``cost + lambda distance`` cross; it is
    reached when no vertex is below the crossing. The incumbent itself (distance 0) is the first ``inner``; the search
    begins at the lambda of the ball before. Only costs change, so primal simplex goes on from vertex to vertex.
    """

    def __init__(self, problem: ILP, rows: np.ndarray) -> None:
        super().__init__(problem, rows)
        self._lp: PersistentLP | None = None
        self._reduced_costs: np.ndarray | None = None
        self._solved_at: float | None = None  # the price of the last solve of this search

    def center(self, coefficients: np.ndarray, constant: float, incumbent: np.ndarray) -> None:
        self._coefficients, self._constant = coefficients, constant
        self._incumbent = Point(incumbent, float(self.problem.c @ incumbent), 0.0)

    def extend(self, rows: np.ndarray) -> None:
        self.rows = np.concatenate([self.rows, rows])
        if self._lp is not None:
            self._lp.add_rows(self.problem.A[rows], self.problem.row_lo[rows], self.problem.row_hi[rows])

    def solve(self, k: int, algorithm: str, crossover: bool, seconds: float) -> BallResult:
        if self._lp is None:
            self._lp = PersistentLP(self.part(), DEVEX)
        if algorithm.endswith("simplex"):
            self.give_basis(self._lp)
        self._algorithm, self._deadline = algorithm, time.monotonic() + seconds
        self._status, self._reduced_costs, self._solved_at = Status.OPTIMAL, None, None
        x = self._search(k)
        self.take_basis(self._lp)
        return BallResult(self._status, x, self._reduced_costs)

    def _search(self, k: int) -> np.ndarray | None:
        bracket = self._bracket(k)
        if bracket is None:
            return None
        inner, outer = bracket
        for _ in range(STEPS):
            if outer is None:
                return inner.x
            price = max(0.0, (inner.cost - outer.cost) / (outer.distance - inner.distance))
            point = self._at(price)
            if point is None:
                return None
            if point.priced(price) >= outer.priced(price) - 1e-10 * max(1.0, abs(outer.cost)):
                share = (k - inner.distance) / (outer.distance - inner.distance)
                return share * outer.x + (1 - share) * inner.x
            inner, outer = (point, outer) if point.distance <= k else (inner, point)
        self._status = Status.NO_SOLUTION
        return None

    def _bracket(self, k: int) -> tuple[Point, Point | None] | None:
        """Points on both sides of k; no outer one where the ball does not bind."""
        inner, guess = self._incumbent, self.price
        for factor in (1.0, *BACK):
            point = self._at(factor * guess)
            if point is None:
                return None
            if point.distance > k:
                return inner, point
            inner = point
            if self.price == 0.0:
                break
        return inner, None

    def _at(self, price: float) -> Point | None:
        """The vertex that is optimal at ``price``; None if there is none or the time is over."""
        assert self._lp is not None
        near = self._solved_at is not None and abs(price - self._solved_at) <= NEAR * self._solved_at
        algorithm = self._algorithm if self._solved_at is None else "primal_simplex"
        if self._algorithm == "ipm" and not near:
            algorithm = "ipm"
        self._lp.set_costs(self.problem.c + price * self._coefficients)
        result = self._lp.solve(algorithm, seconds=max(0.0, self._deadline - time.monotonic()))
        self.price, self._solved_at, self._status = price, price, result.status
        self._reduced_costs = result.reduced_costs
        if result.x is None:
            return None
        return Point(result.x, float(self.problem.c @ result.x), float(self._coefficients @ result.x + self._constant))
