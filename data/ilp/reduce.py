"""Fixing variables: the smaller ILP that is left, and the way back (``lb_relax`` sections 8 and 10)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from data.ilp.problem import ILP, INTEGRALITY
from runs.errors import InvalidProblem

FEASIBILITY = 1e-6
"""Scaled tolerance to which a row without a free variable must hold; as in :meth:`ILP.is_feasible`."""

REDUNDANCY = 1e-9
"""Scaled tolerance to which a row may be exceeded and still counts as never violated."""


@dataclass(frozen=True, eq=False)
class Reduction:
    """An ILP over the free variables only.

    Parameters
    ----------
    problem
        The reduced ILP, its variables in the original order. Its offset carries the cost of the fixed part, so
        objectives agree with the original problem's. A row that the fixed values alone violate stays as an empty row
        with an impossible side, so the reduced problem is infeasible exactly when the original, so fixed, is.
    free
        (k,) int, original indices of the free variables.
    rows
        Original indices of the rows that are left.
    fixed_values
        (n,) the values of the fixed variables, integers rounded; 0 at free variables.
    """

    problem: ILP
    free: np.ndarray
    rows: np.ndarray
    fixed_values: np.ndarray

    def lift(self, x_free: np.ndarray) -> np.ndarray:
        """The full assignment (n,) of a reduced one (k,)."""
        x = self.fixed_values.copy()
        x[self.free] = x_free
        return x

    def restrict(self, x: np.ndarray) -> np.ndarray:
        """The free part (k,) of a full assignment (n,)."""
        return np.asarray(x, np.float64)[self.free]


class Reducer:
    """Reductions of one problem; the column-wise copy and the tolerances are made once."""

    def __init__(self, problem: ILP) -> None:
        self.problem = problem
        self._columns = problem.A_csc
        scale_lo, scale_hi = np.maximum(1.0, np.abs(problem.row_lo)), np.maximum(1.0, np.abs(problem.row_hi))
        self._redundant_lo = problem.row_lo - REDUNDANCY * scale_lo
        self._redundant_hi = problem.row_hi + REDUNDANCY * scale_hi
        self._feasible_lo = problem.row_lo - FEASIBILITY * scale_lo
        self._feasible_hi = problem.row_hi + FEASIBILITY * scale_hi

    def reduce(self, fixed: np.ndarray, values: np.ndarray) -> Reduction:
        """Fix the variables in ``fixed`` (n,) bool at ``values`` (n,), of which the free entries are not read.

        Rows that the remaining bounds cannot violate are dropped. Values of integer variables are rounded.

        Raises
        ------
        InvalidProblem
            A fixed value is not finite, not integer where it must be, or outside its bounds.
        """
        problem = self.problem
        fixed = np.asarray(fixed, bool)
        base = self._fixed_values(fixed, np.asarray(values, np.float64))
        free = np.flatnonzero(~fixed)
        block = self._columns[:, free]
        shift = problem.A @ base
        rows = self._rows_left(block, free, shift)
        names = problem.var_names
        reduced = ILP(
            problem.c[free],
            _keep_rows(block, rows),
            problem.row_lo[rows] - shift[rows],
            problem.row_hi[rows] - shift[rows],
            problem.lb[free],
            problem.ub[free],
            problem.integer[free],
            problem.maximize,
            problem.offset + float(problem.c @ base),
            tuple([names[j] for j in free]) if names else (),
            tuple([problem.row_names[i] for i in rows]) if problem.row_names else (),
            problem.name,
        )
        return Reduction(reduced, free, rows, base)

    def _fixed_values(self, fixed: np.ndarray, values: np.ndarray) -> np.ndarray:
        problem = self.problem
        rounded = np.where(problem.integer, np.rint(values), values)
        with np.errstate(invalid="ignore"):  # inf - inf
            whole = np.abs(values - rounded) <= INTEGRALITY
        good = (
            whole
            & np.isfinite(values)
            & (values >= problem.lb - FEASIBILITY * np.maximum(1.0, np.abs(problem.lb)))
            & (values <= problem.ub + FEASIBILITY * np.maximum(1.0, np.abs(problem.ub)))
        )
        if not good[fixed].all():
            j = int(np.flatnonzero(fixed & ~good)[0])
            kind = "an integer" if problem.integer[j] else "a number"
            raise InvalidProblem(
                f"{problem.name}: {problem.describe_variable(j)} is to be fixed at {values[j]}; "
                f"expected {kind} in [{problem.lb[j]:.12g}, {problem.ub[j]:.12g}]"
            )
        return np.where(fixed, rounded, 0.0)

    def _rows_left(self, block: sp.csc_matrix, free: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Rows the remaining bounds can violate, and rows without a free variable that are violated; sorted.

        Works on the rows that free variables touch: these are few when most variables are fixed.
        """
        touched_mask = np.zeros(self.problem.m, bool)
        touched_mask[block.indices] = True
        touched = np.flatnonzero(touched_mask)
        place = np.empty(self.problem.m, np.int32)
        place[touched] = np.arange(len(touched), dtype=np.int32)
        entry = place[block.indices]
        counts = np.diff(block.indptr)
        at_lower = block.data * np.repeat(self.problem.lb[free], counts)
        at_upper = block.data * np.repeat(self.problem.ub[free], counts)
        low = shift[touched] + np.bincount(entry, np.minimum(at_lower, at_upper), len(touched))
        high = shift[touched] + np.bincount(entry, np.maximum(at_lower, at_upper), len(touched))
        open_rows = (low < self._redundant_lo[touched]) | (high > self._redundant_hi[touched])
        left = (shift < self._feasible_lo) | (shift > self._feasible_hi)
        left[touched] = open_rows
        return np.flatnonzero(left)


def reduce(problem: ILP, fixed: np.ndarray, values: np.ndarray) -> Reduction:
    """One reduction; for many of the same problem keep a :class:`Reducer`."""
    return Reducer(problem).reduce(fixed, values)


def _keep_rows(block: sp.csc_matrix, rows: np.ndarray) -> sp.csr_matrix:
    """The given rows (sorted) of ``block`` as a canonical csr matrix."""
    m, k = block.shape
    place = np.full(m, -1, block.indices.dtype)
    place[rows] = np.arange(len(rows), dtype=block.indices.dtype)
    target = place[block.indices]
    kept = target >= 0
    before = np.concatenate([[0], np.cumsum(kept)])
    indptr = before[block.indptr].astype(block.indptr.dtype)
    return sp.csc_matrix((block.data[kept], target[kept], indptr), shape=(len(rows), k)).tocsr()
