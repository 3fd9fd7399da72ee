"""Fixing variables: the smaller ILP that is left, and the way back (docs/papers/lb_relax.md#3.8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from data.ilp.problem import ILP, INTEGRALITY
from runs.errors import InvalidProblem

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
    """Reductions of one problem; the column-wise copy, the tolerances and what an entry adds to its row are made once."""

    def __init__(self, problem: ILP) -> None:
        self.problem = problem
        self._columns = problem.A_csc
        scale_lo, scale_hi = np.maximum(1.0, np.abs(problem.row_lo)), np.maximum(1.0, np.abs(problem.row_hi))
        self._redundant_lo = problem.row_lo - REDUNDANCY * scale_lo
        self._redundant_hi = problem.row_hi + REDUNDANCY * scale_hi
        self._lb, self._ub, self._feasible_lo, self._feasible_hi = problem.tolerant
        counts = np.diff(self._columns.indptr)
        at_lower = self._columns.data * np.repeat(problem.lb, counts)
        at_upper = self._columns.data * np.repeat(problem.ub, counts)
        # packing and covering problems have sides in one direction only, which halves the work
        self._least = np.minimum(at_lower, at_upper) if (problem.row_lo > -np.inf).any() else None
        self._most = np.maximum(at_lower, at_upper) if (problem.row_hi < np.inf).any() else None
        self._known: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

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
        shift = problem.A @ base
        rows, matrix = self._rows_left(free, shift)
        names = problem.var_names
        reduced = ILP(
            problem.c[free],
            matrix,
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
        rounded, good = self._rounded(values)
        if not (good | ~fixed).all():
            j = int(np.flatnonzero(fixed & ~good)[0])
            kind = "an integer" if problem.integer[j] else "a number"
            raise InvalidProblem(
                f"{problem.name}: {problem.describe_variable(j)} is to be fixed at {values[j]}; "
                f"expected {kind} in [{problem.lb[j]:.12g}, {problem.ub[j]:.12g}]"
            )
        return np.where(fixed, rounded, 0.0)

    def _rounded(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``values`` with exact integers, and where they may be fixed; remembered for a read-only array (an incumbent)."""
        if self._known is not None and self._known[0] is values:
            return self._known[1:]
        rounded = np.where(self.problem.integer, np.rint(values), values)
        with np.errstate(invalid="ignore"):  # inf - inf
            whole = np.abs(values - rounded) <= INTEGRALITY
        good = whole & np.isfinite(values) & (values >= self._lb) & (values <= self._ub)
        self._known = None if values.flags.writeable else (values, rounded, good)
        return rounded, good

    def _rows_left(self, free: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, sp.csr_matrix]:
        """Rows that the remaining bounds can violate, and rows without a free variable that are violated; sorted.

        Works on the entries of free variables and the rows they touch: these are few when most variables are fixed.

        Returns
        -------
        rows
            Original indices.
        matrix
            (rows, free) their coefficients.
        """
        columns, m = self._columns, self.problem.m
        entries, ends = self._entries(free)
        row = columns.indices[entries]
        left = np.zeros(m, bool)
        left[row] = True
        touched = np.flatnonzero(left)
        number = np.empty(m, np.int32)
        number[touched] = np.arange(len(touched), dtype=np.int32)
        place = number[row]

        violable = np.zeros(len(touched), bool)
        left[:] = False
        if self._least is not None:
            lowest = shift[touched] + np.bincount(place, self._least[entries], len(touched))
            violable |= lowest < self._redundant_lo[touched]
            left |= shift < self._feasible_lo
        if self._most is not None:
            highest = shift[touched] + np.bincount(place, self._most[entries], len(touched))
            violable |= highest > self._redundant_hi[touched]
            left |= shift > self._feasible_hi
        left[touched] = violable
        rows = np.flatnonzero(left)

        kept = violable[place]
        number[rows] = np.arange(len(rows), dtype=np.int32)
        indptr = np.zeros(len(free) + 1, np.int32)
        indptr[1:] = np.concatenate([[0], np.cumsum(kept)])[ends]
        block = sp.csc_matrix((columns.data[entries[kept]], number[row[kept]], indptr), shape=(len(rows), len(free)))
        return rows, block.tocsr()

    def _entries(self, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the free columns' entries in the column-wise copy, and where each column ends among them."""
        starts = self._columns.indptr[free]
        counts = self._columns.indptr[free + 1] - starts
        ends = np.cumsum(counts)
        return np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts), ends


def reduce(problem: ILP, fixed: np.ndarray, values: np.ndarray) -> Reduction:
    """One reduction; for many of the same problem keep a :class:`Reducer`."""
    return Reducer(problem).reduce(fixed, values)
