"""Sets onto which a projection is a formula: boxes, and products of simplices (docs/papers/surco.md#3.2)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from data.ilp.problem import ILP


class Projected(NamedTuple):
    """The nearest points x (batch, variables), and which variables are ``free`` to move there."""

    x: Float[np.ndarray, "batch variables"]
    free: Bool[np.ndarray, "batch variables"]


class InnerSet(Protocol):
    """A convex set whose projection and its derivative are formulas."""

    def project(self, v: Float[np.ndarray, "batch variables"]) -> Projected:
        """The nearest point to each row."""
        ...

    def tangent(
        self, free: Bool[np.ndarray, " variables"], rows: Float[np.ndarray, "rows variables"]
    ) -> Float[np.ndarray, "rows variables"]:
        """The derivative of the projection, applied to each row; it is symmetric."""
        ...


class Box:
    """lb <= x <= ub."""

    def __init__(self, lb: Float[np.ndarray, " variables"], ub: Float[np.ndarray, " variables"]) -> None:
        self.lb, self.ub = lb, ub

    def project(self, v: Float[np.ndarray, "batch variables"]) -> Projected:
        return Projected(np.clip(v, self.lb, self.ub), (v > self.lb) & (v < self.ub))

    def tangent(
        self, free: Bool[np.ndarray, " variables"], rows: Float[np.ndarray, "rows variables"]
    ) -> Float[np.ndarray, "rows variables"]:
        return np.where(free, rows, 0.0)


class Simplices:
    """x >= 0 with a given sum in each of some groups that share no variable and leave none out.

    Parameters
    ----------
    groups
        (groups, size) variables of each, filled up with the number of variables where a group is smaller.
    sums
        (groups,) above 0.
    variables
        How many there are in all.
    """

    def __init__(
        self, groups: Int[np.ndarray, "groups size"], sums: Float[np.ndarray, " groups"], variables: int
    ) -> None:
        self.groups, self.sums = groups, sums
        self._counts = np.arange(1, groups.shape[1] + 1)
        of = np.empty(variables + 1, np.int64)  # the group of a variable, and of the filling
        of[groups] = np.arange(len(groups))[:, None]
        self._filled, self._of = bool((groups == variables).any()), of[:-1]

    @classmethod
    def of(cls, problem: ILP) -> tuple[Simplices, Bool[np.ndarray, " rows"]] | None:
        """Those of a program, and which rows they are; None where they do not cover all variables."""
        A, n = problem.A, problem.n
        lengths = np.diff(A.indptr)
        if not len(A.data) or (problem.lb != 0).any():
            return None
        equal = (problem.row_lo == problem.row_hi) & (problem.row_lo > 0) & (lengths > 0)
        ones = np.array([(A.data[A.indptr[i] : A.indptr[i + 1]] == 1).all() for i in range(problem.m)], bool)
        rows = np.flatnonzero(equal & ones)
        if lengths[rows].sum() != n or not len(rows):
            return None
        groups = np.full((len(rows), lengths[rows].max()), n)
        for group, row in enumerate(rows):
            groups[group, : lengths[row]] = A.indices[A.indptr[row] : A.indptr[row + 1]]
        sums = problem.row_lo[rows]
        covered = np.bincount(groups[groups < n], minlength=n)
        bound = np.empty(n + 1)
        bound[groups] = sums[:, None]
        if (covered != 1).any() or (problem.ub < bound[:n]).any():
            return None
        return cls(groups, sums, n), np.isin(np.arange(problem.m), rows)

    def project(self, v: Float[np.ndarray, "batch variables"]) -> Projected:
        ordered = self._grouped(v, -np.inf)
        ordered.sort(axis=2)
        ordered = ordered[:, :, ::-1]
        finite = True
        if self._filled:
            finite = np.isfinite(ordered)
            ordered = np.where(finite, ordered, 0.0)
        levels = (np.cumsum(ordered, axis=2) - self.sums[:, None]) / self._counts
        held = np.count_nonzero(finite & (ordered > levels), axis=2)
        batch, groups = held.shape
        level = levels.reshape(batch * groups, -1)[np.arange(batch * groups), held.ravel() - 1].reshape(batch, groups)
        moved = v - level[:, self._of]
        return Projected(np.maximum(moved, 0.0), moved > 0)

    def tangent(
        self, free: Bool[np.ndarray, " variables"], rows: Float[np.ndarray, "rows variables"]
    ) -> Float[np.ndarray, "rows variables"]:
        kept = rows * free
        counts = self._grouped(free[None].astype(float), 0.0).sum(axis=2)
        means = self._grouped(kept, 0.0).sum(axis=2) / counts
        return (kept - means[:, self._of]) * free

    def _grouped(
        self, rows: Float[np.ndarray, "rows variables"], filling: float
    ) -> Float[np.ndarray, "rows groups size"]:
        """The variables of each group, in a new array."""
        if self._filled:
            rows = np.concatenate([rows, np.full((len(rows), 1), filling)], axis=1)
        return rows[:, self.groups]
