"""argmin of c'x + mu/2 ||x||^2 over a polytope, and its derivative (docs/papers/surco.md#3.2)."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from data.ilp.problem import ILP
from runs.errors import InvalidProblem, SolverFailure
from solvers.differentiable.inner_sets import Box, InnerSet, Simplices
from solvers.differentiable.polytope import polytope
from solvers.differentiable.rules.interpolation import positive

ITERATIONS = 200
TOLERANCE = 1e-10
"""Of rows, scaled to unit length."""


class Face(NamedTuple):
    """Where one minimiser lies: variables free to move in the inner set, and rows that hold it."""

    free: Bool[np.ndarray, " variables"]
    rows: Bool[np.ndarray, " rows"]


class Minimisers(NamedTuple):
    """x (batch, variables), and the face of each."""

    x: Float[np.ndarray, "batch variables"]
    faces: list[Face]


class RegularisedLP:
    """The projection of -c/mu onto the polytope of a problem, integrality dropped: a linear program with a smooth answer.

    The polytope is a set onto which the projection is a formula - the box of the bounds, or the product of simplices where
    rows say so - within further rows. Their multipliers are found by a semismooth Newton method on the dual, whose matrix
    has one row for each row that binds: none, where the formula's answer keeps them.

    Parameters
    ----------
    mu
        How round it is: for mu to 0 the answer is a vertex and the derivative vanishes.

    Raises
    ------
    ConfigError
        mu is not above 0.
    """

    def __init__(self, mu: float) -> None:
        self.mu = positive("mu", mu)
        self._kept: weakref.WeakKeyDictionary[ILP, _Rows] = weakref.WeakKeyDictionary()

    def solve(self, costs: Float[np.ndarray, "batch variables"], problem: Any) -> Minimisers:
        """The minimiser for each row of costs.

        Raises
        ------
        InvalidProblem
            The rows and bounds of the problem are not known.
        SolverFailure
            The multipliers did not converge: most often, nothing is feasible.
        """
        rows = self._rows(problem)
        targets = -costs / self.mu
        x, free = rows.inner.project(targets)
        inside = rows.holds(x)
        faces = [Face(each, rows.equal) for each in free]
        for i in np.flatnonzero(~inside).tolist():
            x[i], faces[i] = rows.project(targets[i])
        return Minimisers(x, faces)

    def pullback(
        self, faces: list[Face], slopes: Float[np.ndarray, "batch variables"], problem: Any
    ) -> Float[np.ndarray, "batch variables"]:
        """dloss/dcosts from dloss/dx: -1/mu times the slopes, projected onto the directions of each face."""
        rows = self._rows(problem)
        projected = [rows.along(face, slope) for face, slope in zip(faces, slopes, strict=True)]
        return -np.array(projected).reshape(slopes.shape) / self.mu

    def _rows(self, problem: Any) -> _Rows:
        program = polytope(problem)
        if program not in self._kept:
            self._kept[program] = _Rows(program)
        return self._kept[program]


class _Rows:
    """The rows of a program beside its inner set, scaled to unit length."""

    def __init__(self, problem: ILP) -> None:
        found = Simplices.of(problem)
        self.name = problem.name
        self.inner: InnerSet = Box(problem.lb, problem.ub) if found is None else found[0]
        left = np.ones(problem.m, bool) if found is None else ~found[1]
        left &= np.isfinite(problem.row_lo) | np.isfinite(problem.row_hi)
        matrix = problem.A[left].toarray()
        lengths = np.linalg.norm(matrix, axis=1)
        if (lengths == 0).any():
            row = int(np.flatnonzero(left)[np.argmin(lengths)])
            if problem.row_lo[row] > 0 or problem.row_hi[row] < 0:
                raise InvalidProblem(
                    f"{problem.name}: no point is feasible: {problem.describe_row(row)} has no variable"
                )
            lengths[lengths == 0] = 1.0
        self.matrix = matrix / lengths[:, None]
        self.low, self.high = problem.row_lo[left] / lengths, problem.row_hi[left] / lengths
        self.equal = self.low == self.high

    def holds(self, x: Float[np.ndarray, "batch variables"]) -> Bool[np.ndarray, " batch"]:
        if not len(self.matrix):
            return np.ones(len(x), bool)
        activity = np.stack([self.matrix @ row for row in x])  # row by row, so that a batch is the same as its rows
        within = (activity >= self.low - TOLERANCE) & (activity <= self.high + TOLERANCE)
        return within.all(axis=1)

    def project(self, target: Float[np.ndarray, " variables"]) -> tuple[Float[np.ndarray, " variables"], Face]:
        """The nearest point of the polytope, by ascent on the dual in the multipliers of the rows.

        A multiplier is >= 0 at the lower side of its row and <= 0 at the upper one.
        """
        multipliers = np.zeros(len(self.matrix))
        damping, noise = 1e-4, 1e-15 * (1.0 + float(target @ target))
        largest = np.abs(target).max()
        x, free, value, residual = self._at(target, multipliers)
        for _ in range(ITERATIONS):
            if np.abs(residual).max() <= TOLERANCE * (1 + 1e-2 * largest):
                return x, Face(free, self.equal | (multipliers != 0))
            active = (residual != 0) | (multipliers != 0)
            rows = self.matrix[active]
            hessian = rows @ self.inner.tangent(free, rows).T
            hessian[np.diag_indices(len(rows))] += 1e-13 + damping * min(1.0, float(np.abs(residual).max()))
            step = np.zeros(len(multipliers))
            step[active] = np.linalg.solve(hessian, residual[active])
            length = 1.0
            while True:
                tried = self._signed(multipliers, multipliers + length * step, residual)
                found = self._at(target, tried)
                moved = tried - multipliers
                gain, beyond = float(residual @ moved), float(found[3] @ moved)
                if beyond >= 0 or found[2] >= value + 1e-4 * gain - noise or length < 1e-12:
                    break
                length *= min(0.9, max(0.02, gain / (gain - beyond)))  # where the slope is 0, were it linear
            damping *= 0.01 if length == 1 else 1.0  # where no variable is free, nothing else bounds the step
            multipliers, (x, free, value, residual) = tried, found
        raise SolverFailure(
            f"{self.name}: the regularised program did not converge in {ITERATIONS} steps; is any point feasible?"
        )

    def along(self, face: Face, slope: Float[np.ndarray, " variables"]) -> Float[np.ndarray, " variables"]:
        """The slope, projected onto the directions in which the nearest point moves."""
        along = self.inner.tangent(face.free, slope[None])[0]
        if not face.rows.any():
            return along
        rows = self.inner.tangent(face.free, self.matrix[face.rows])
        weights = np.linalg.lstsq(rows @ self.matrix[face.rows].T, self.matrix[face.rows] @ along, rcond=1e-10)[0]
        return np.asarray(along - weights @ rows)

    def _at(
        self, target: Float[np.ndarray, " variables"], multipliers: Float[np.ndarray, " rows"]
    ) -> tuple[Float[np.ndarray, " variables"], Bool[np.ndarray, " variables"], float, Float[np.ndarray, " rows"]]:
        """Nearest point, what is free there, the dual's value and its ascent direction."""
        x, free = (part[0] for part in self.inner.project((target + multipliers @ self.matrix)[None]))
        activity = self.matrix @ x
        below, above = self.low - activity, self.high - activity
        residual = np.where(
            multipliers > 0, below, np.where(multipliers < 0, above, np.maximum(below, 0.0) + np.minimum(above, 0.0))
        )
        residual = np.where(self.equal, below, residual)
        sides = np.where(multipliers > 0, self.low, np.where(multipliers < 0, self.high, 0.0))
        value = 0.5 * float((x - target) @ (x - target)) + float(multipliers @ (sides - activity))
        return x, free, value, residual

    def _signed(
        self,
        multipliers: Float[np.ndarray, " rows"],
        tried: Float[np.ndarray, " rows"],
        residual: Float[np.ndarray, " rows"],
    ) -> Float[np.ndarray, " rows"]:
        """What was tried, stopped at 0 where a row would change its side."""
        side = np.where(multipliers != 0, np.sign(multipliers), np.sign(residual))
        return np.where(self.equal | (np.sign(tried) == side), tried, 0.0)
