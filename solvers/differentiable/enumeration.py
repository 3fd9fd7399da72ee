"""Exact by enumeration: the feasible points of a small binary program, in lexicographic order."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from jaxtyping import Float

from data.ilp.problem import ILP
from runs.errors import InvalidProblem
from solvers.differentiable.oracle import LinearOracle, Vertices
from solvers.differentiable.polytope import polytope

MOST = 20
"""Variables of a program whose points are listed."""


class Enumeration(LinearOracle):
    """The cheapest of all feasible points, the first in lexicographic order of equal ones; the reference of others."""

    def __init__(self) -> None:
        self._points: weakref.WeakKeyDictionary[ILP, np.ndarray] = weakref.WeakKeyDictionary()

    def points(self, problem: Any) -> Float[np.ndarray, "points variables"]:
        """All feasible points.

        Raises
        ------
        InvalidProblem
            There is none, a variable is not binary, or they are more than :data:`MOST`.
        """
        program = polytope(problem)
        if program not in self._points:
            self._points[program] = _points(program)
        return self._points[program]

    def check(self, problem: Any) -> None:
        self.points(problem)

    def solve(self, costs: Float[np.ndarray, "batch variables"], problem: Any) -> Vertices:
        points = self.points(problem)
        best = [int(np.argmin(points @ row)) for row in costs]
        return Vertices(points[best].reshape(costs.shape), np.ones(len(costs), bool))


def _points(program: ILP) -> Float[np.ndarray, "points variables"]:
    if program.n > MOST or not program.binary.all():
        raise InvalidProblem(f"{program.name}: only programs of at most {MOST} variables, all binary, are enumerated")
    codes = np.arange(2**program.n)[:, None] >> np.arange(program.n)[::-1]
    points = (codes & 1).astype(np.float64)
    lb, ub, row_lo, row_hi = program.tolerant
    activity = (program.A @ points.T).T
    inside = ((points >= lb) & (points <= ub)).all(axis=1) & ((activity >= row_lo) & (activity <= row_hi)).all(axis=1)
    if not inside.any():
        raise InvalidProblem(f"{program.name}: no point is feasible")
    return points[inside]
