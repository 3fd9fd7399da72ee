"""What several features share: rows that have a side, their activity at the vertex, norms, tolerances."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from data.ilp.features.segments import Segments
from data.ilp.problem import ILP
from data.ilp.root_lp import RootLP

EPS = 1e-6
"""eps of docs/papers/cl_lns.md#3.1: two values are equal when they differ by at most this times max(1, |value|)."""


def equal(values: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """(n,) bool, whether ``values`` (n,) sit at ``sides`` (n,); never at an infinite one."""
    finite = np.isfinite(sides)
    reference = np.where(finite, sides, 0.0)
    return finite & (np.abs(values - reference) <= EPS * np.maximum(1.0, np.abs(reference)))


def nonzero(values: np.ndarray) -> np.ndarray:
    """``values`` (n,) with 1 in place of 0, to divide by."""
    return np.where(values == 0, 1.0, values)


@dataclass(frozen=True, eq=False)
class Geometry:
    """A minimisation at its root vertex.

    Parameters
    ----------
    problem
        n variables, m rows.
    lp
        Its root LP.
    """

    problem: ILP
    lp: RootLP

    @cached_property
    def objective_norm(self) -> float:
        """2-norm of c, 1 if it is 0."""
        return float(np.linalg.norm(self.problem.c)) or 1.0

    @cached_property
    def row_norms(self) -> np.ndarray:
        """(m,) 2-norms of the rows, 1 if 0."""
        return nonzero(np.sqrt(self.row_segments.sum(self.problem.A.data**2)))

    @cached_property
    def row_segments(self) -> Segments:
        """The nonzeros of ``A``, row by row."""
        return Segments(np.diff(self.problem.A.indptr))

    @cached_property
    def activity(self) -> np.ndarray:
        """(m,) A x at the vertex."""
        return np.asarray(self.problem.A @ self.lp.x)

    @cached_property
    def at_low(self) -> np.ndarray:
        """(m,) bool: the row is tight at its left side."""
        return equal(self.activity, self.problem.row_lo)

    @cached_property
    def at_high(self) -> np.ndarray:
        """(m,) bool: the row is tight at its right side."""
        return equal(self.activity, self.problem.row_hi)

    @cached_property
    def fractionality(self) -> np.ndarray:
        """(n,) x - floor(x + eps), 0 for continuous variables."""
        x = self.lp.x
        return np.where(self.problem.integer, x - np.floor(x + EPS), 0.0)

    @cached_property
    def columns(self) -> sp.csc_matrix:
        """``A`` by columns, without rows that have no side: they are no part of the graph."""
        problem = self.problem
        sided = np.isfinite(problem.row_lo) | np.isfinite(problem.row_hi)
        if sided.all():
            return problem.A_csc
        kept = sp.csc_matrix(sp.diags_array(sided.astype(float)) @ problem.A)
        kept.eliminate_zeros()
        kept.sort_indices()
        return kept
