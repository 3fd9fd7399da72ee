"""Integer linear programs: ``min or max c x + offset  s.t.  row_lo <= A x <= row_hi,  lb <= x <= ub,  x_j integer``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from runs.errors import InvalidProblem
from runs.text import one_line

FEASIBILITY = 1e-6
"""How far a side may be passed, times max(1, |side|)."""

INTEGRALITY = 1e-6
"""How far from an integer an integer variable may be."""

INFINITE = 1e20
"""Where infinity begins in every solver and file format: costs and finite limits are below it in magnitude."""

LARGEST = 1e15
"""Coefficients in rows are below it in magnitude: beyond, a double cannot hold the rest of the row beside them."""

_BELOW = "a finite number below {:.0e} in magnitude; rescale it"


@dataclass(frozen=True, eq=False)
class ILP:
    """An immutable (mixed-)integer linear program with n variables and m rows.

    Make one with :meth:`build`, which converts, canonicalises and write-protects; then :meth:`validate` what came from
    outside.

    Parameters
    ----------
    c
        (n,) float64, objective coefficients in the problem's own sense.
    A
        (m, n) csr_matrix, float64, sorted indices, no duplicates.
    row_lo, row_hi
        (m,) float64, sides of the rows; -inf and +inf where absent.
    lb, ub
        (n,) float64, bounds of the variables; -inf and +inf where absent.
    integer
        (n,) bool.
    maximize, offset
        Sense and constant of the objective.
    var_names, row_names
        Names from a file, or empty.
    name
        What reports call the instance.
    notes
        What the reader of its file changed or doubts; the report repeats it.
    """

    c: np.ndarray
    A: sp.csr_matrix
    row_lo: np.ndarray
    row_hi: np.ndarray
    lb: np.ndarray
    ub: np.ndarray
    integer: np.ndarray
    maximize: bool = False
    offset: float = 0.0
    var_names: tuple[str, ...] = field(default=(), repr=False)
    row_names: tuple[str, ...] = field(default=(), repr=False)
    name: str = "ilp"
    notes: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def build(
        cls,
        c: Any,
        A: Any,
        row_lo: Any = -np.inf,
        row_hi: Any = np.inf,
        lb: Any = 0.0,
        ub: Any = np.inf,
        integer: Any = False,
        *,
        maximize: bool = False,
        offset: float = 0.0,
        var_names: Sequence[str] = (),
        row_names: Sequence[str] = (),
        name: str = "ilp",
    ) -> ILP:
        """Copy anything array-like into an ILP; scalars stand for whole sides, bounds and the integrality mask.

        Explicit zeros of ``A`` are dropped. Nothing is summed: a second entry at one place is an error.

        Raises
        ------
        InvalidProblem
            A shape does not fit, a value is no number, or ``A`` holds two entries at one place.
        """
        matrix = _canonical(A, name)
        m, n = matrix.shape
        return cls(
            _vector(c, n, "c", name),
            matrix,
            _vector(row_lo, m, "row_lo", name),
            _vector(row_hi, m, "row_hi", name),
            _vector(lb, n, "lb", name),
            _vector(ub, n, "ub", name),
            _vector(integer, n, "integer", name, bool),
            bool(maximize),
            float(offset),
            tuple(var_names),
            tuple(row_names),
            name,
        )

    def __post_init__(self) -> None:
        for array in (self.c, self.row_lo, self.row_hi, self.lb, self.ub, self.integer):
            array.setflags(write=False)
        for array in (self.A.data, self.A.indices, self.A.indptr):
            array.setflags(write=False)

    def __getstate__(self) -> dict[str, Any]:
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()  # pickled arrays come back writeable

    @property
    def n(self) -> int:
        """Number of variables."""
        return int(self.A.shape[1])

    @property
    def m(self) -> int:
        """Number of rows."""
        return int(self.A.shape[0])

    @cached_property
    def binary(self) -> np.ndarray:
        """(n,) bool: integer variables whose bounds lie within [0, 1]."""
        mask = self.integer & (self.lb >= 0) & (self.ub <= 1)
        mask.setflags(write=False)
        return mask

    @cached_property
    def A_csc(self) -> sp.csc_matrix:  # noqa: N802 - the field's name with its format
        """Column-wise copy of ``A``."""
        matrix = self.A.tocsc()
        for array in (matrix.data, matrix.indices, matrix.indptr):
            array.setflags(write=False)
        return matrix

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) of the mathematical content; names do not enter, nor does the platform's index type."""
        digest = hashlib.sha256(repr(("ilp", self.m, self.n, bool(self.maximize))).encode())
        for numbers in (self.A.indptr, self.A.indices, self.integer):
            digest.update(np.ascontiguousarray(numbers, "<i8").tobytes())
        for values in (self.A.data, self.c, self.row_lo, self.row_hi, self.lb, self.ub, np.array([self.offset])):
            digest.update((np.ascontiguousarray(values, "<f8") + 0.0).tobytes())  # + 0.0 makes -0.0 plain
        return digest.hexdigest()

    def objective(self, x: np.ndarray) -> float:
        """Value of ``x`` (n,) in the problem's own sense, offset included."""
        return float(self.c @ np.asarray(x, np.float64)) + self.offset

    @cached_property
    def tolerant(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """``lb``, ``ub``, ``row_lo`` and ``row_hi``, each passed by :data:`FEASIBILITY` times max(1, |side|)."""
        return self._passed_by(FEASIBILITY)

    def is_feasible(self, x: np.ndarray, tol: float = FEASIBILITY) -> bool:
        """True when ``x`` (n,) is finite and keeps bounds and rows to ``tol * max(1, |side|)``, integrality to 1e-6."""
        x = np.asarray(x, np.float64)
        if x.shape != (self.n,) or not np.isfinite(x).all():
            return False
        lb, ub, row_lo, row_hi = self.tolerant if tol == FEASIBILITY else self._passed_by(tol)
        if not ((x >= lb).all() and (x <= ub).all()):
            return False
        whole = x[self.integer]
        if not (np.abs(whole - np.rint(whole)) <= INTEGRALITY).all():
            return False
        activity = self.A @ x
        return bool((activity >= row_lo).all() and (activity <= row_hi).all())

    def _passed_by(self, tol: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        lb, ub, row_lo, row_hi = (
            tol * np.maximum(1.0, np.abs(a)) for a in (self.lb, self.ub, self.row_lo, self.row_hi)
        )
        return self.lb - lb, self.ub + ub, self.row_lo - row_lo, self.row_hi + row_hi

    def worst_violation(self, x: np.ndarray) -> tuple[str, float]:
        """What ``x`` (n,) breaks most, relative to max(1, |side|), for messages.

        Returns
        -------
        description
            For example ``"row 'cap' (row 3) must be <= 4, is 5.5"``; ``"nothing"`` when nothing is violated.
        amount
            By how much, in the row's or variable's own unit; 0 when nothing is violated, inf for a non-finite ``x``.
        """
        x = np.asarray(x, np.float64)
        if x.shape != (self.n,):
            return f"the assignment has shape {x.shape}, the problem {self.n} variables", np.inf
        if not np.isfinite(x).all():
            j = int(np.argmin(np.isfinite(x)))
            return f"{self.describe_variable(j)} is {x[j]}", np.inf
        activity = self.A @ x
        fraction = np.where(self.integer, np.abs(x - np.rint(x)), 0.0)
        worst = ("nothing", 0.0, 0.0)
        for amounts, sides, what in (
            (self.row_lo - activity, self.row_lo, lambda i: f"{self.describe_row(i)} must be >= {self.row_lo[i]:.12g}"),
            (activity - self.row_hi, self.row_hi, lambda i: f"{self.describe_row(i)} must be <= {self.row_hi[i]:.12g}"),
            (self.lb - x, self.lb, lambda j: f"{self.describe_variable(j)} must be >= {self.lb[j]:.12g}"),
            (x - self.ub, self.ub, lambda j: f"{self.describe_variable(j)} must be <= {self.ub[j]:.12g}"),
            (fraction, np.zeros(self.n), lambda j: f"{self.describe_variable(j)} must be integer"),
        ):
            if not len(amounts):
                continue
            scaled = amounts / np.where(np.isfinite(sides), np.maximum(1.0, np.abs(sides)), 1.0)
            index = int(np.argmax(scaled))
            if scaled[index] > worst[2]:
                value = activity[index] if sides is self.row_lo or sides is self.row_hi else x[index]
                worst = (f"{what(index)}, is {value:.12g}", float(amounts[index]), float(scaled[index]))
        return worst[0], worst[1]

    def to_min(self) -> ILP:
        """The same problem as a minimisation: itself, or a copy with the objective negated."""
        if not self.maximize:
            return self
        return replace(self, c=-self.c, offset=-self.offset, maximize=False)

    def describe_variable(self, j: int) -> str:
        """``"variable 'x' (column j)"``, or ``"variable j"`` without names."""
        return f"variable '{one_line(self.var_names[j])}' (column {j})" if self.var_names else f"variable {j}"

    def describe_row(self, i: int) -> str:
        """``"row 'r' (row i)"``, or ``"row i"`` without names."""
        return f"row '{one_line(self.row_names[i])}' (row {i})" if self.row_names else f"row {i}"

    def validate(self) -> ILP:
        """Check everything solvers rely on, once, where a problem enters; returns itself.

        Raises
        ------
        InvalidProblem
            A shape or type is wrong, ``A`` is not canonical, ``c``, ``A`` or ``offset`` is not finite or too large
            (:data:`INFINITE`, :data:`LARGEST`), bounds or sides cross, are nan, or finite but too large, an integer variable
            has no integer between its bounds; names the variable or row.
        """
        self._check_shapes()
        self._check_matrix()
        small = np.abs(self.c) < INFINITE
        self._check(small, self.describe_variable, "has objective coefficient", self.c, _BELOW.format(INFINITE))
        if not abs(self.offset) < INFINITE:
            raise InvalidProblem(
                f"{self.name}: the objective's offset is {self.offset}; expected {_BELOW.format(INFINITE)}"
            )
        for lower, upper, describe in (
            (self.lb, self.ub, self.describe_variable),
            (self.row_lo, self.row_hi, self.describe_row),
        ):
            self._check(~np.isnan(lower) & (lower < np.inf), describe, "has lower limit", lower, "a number or -inf")
            self._check(~np.isnan(upper) & (upper > -np.inf), describe, "has upper limit", upper, "a number or +inf")
            for limit in (lower, upper):
                meant = np.isinf(limit) | (np.abs(limit) < INFINITE)
                self._check(
                    meant, describe, "has the finite limit", limit, "one below 1e20 in magnitude, or an infinite one"
                )
            crossed = f"at most its upper limit {{}} ({'lb <= ub' if lower is self.lb else 'row_lo <= row_hi'})"
            self._check(lower <= upper, describe, "has lower limit", lower, crossed, upper)
        room = np.ceil(self.lb - INTEGRALITY) <= np.floor(self.ub + INTEGRALITY)
        expected = "an integer between it and the upper limit {}"
        self._check(
            room | ~self.integer, self.describe_variable, "is integer with lower limit", self.lb, expected, self.ub
        )
        return self

    def _check(
        self,
        good: np.ndarray,
        describe: Any,
        what: str,
        values: np.ndarray,
        expected: str,
        other: np.ndarray | None = None,
    ) -> None:
        if good.all():
            return
        index = int(np.argmin(good))
        wanted = expected if other is None else expected.format(f"{other[index]:.12g}")
        raise InvalidProblem(f"{self.name}: {describe(index)} {what} {values[index]:.12g}; expected {wanted}")

    def _check_shapes(self) -> None:
        if not isinstance(self.A, sp.csr_matrix):
            raise InvalidProblem(f"{self.name}: A is a {type(self.A).__name__}; expected a csr_matrix (use ILP.build)")
        for key, size in (("c", self.n), ("lb", self.n), ("ub", self.n), ("row_lo", self.m), ("row_hi", self.m)):
            array = getattr(self, key)
            if array.shape != (size,) or array.dtype != np.float64:
                raise InvalidProblem(
                    f"{self.name}: {key} has shape {array.shape} and type {array.dtype}; expected ({size},) and float64"
                )
        if self.integer.shape != (self.n,) or self.integer.dtype != np.bool_:
            raise InvalidProblem(f"{self.name}: integer has shape {self.integer.shape}; expected ({self.n},) and bool")
        for key, size in (("var_names", self.n), ("row_names", self.m)):
            names = getattr(self, key)
            if names and len(names) != size:
                raise InvalidProblem(f"{self.name}: {key} has {len(names)} names; expected {size} or none")
            if len(set(names)) != len(names):
                raise InvalidProblem(f"{self.name}: {key} holds a name twice; expected different names")

    def _check_matrix(self) -> None:
        indptr, indices = self.A.indptr, self.A.indices
        if len(indptr) != self.m + 1 or indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
            raise InvalidProblem(f"{self.name}: A has a broken row pointer; expected a csr_matrix (use ILP.build)")
        if len(indices) and (indices.min() < 0 or indices.max() >= self.n):
            raise InvalidProblem(f"{self.name}: A has a column index outside 0..{self.n - 1}")
        _refuse_unsorted(self.A, self.name)
        if self.A.dtype != np.float64:
            raise InvalidProblem(f"{self.name}: A has type {self.A.dtype}; expected float64")
        small = np.abs(self.A.data) < LARGEST
        if not small.all():
            k = int(np.argmin(small))
            i = int(np.searchsorted(indptr, k, side="right")) - 1
            where = f"{self.describe_row(i)}, {self.describe_variable(int(indices[k]))}"
            raise InvalidProblem(
                f"{self.name}: the coefficient at {where} is {self.A.data[k]:.12g}; expected {_BELOW.format(LARGEST)}"
            )


def _vector(values: Any, size: int, key: str, name: str, dtype: type = np.float64) -> np.ndarray:
    try:
        array: np.ndarray = np.array(values, dtype=dtype)
        return np.array(np.broadcast_to(array, (size,))) if array.ndim == 0 else array.reshape(size)
    except (TypeError, ValueError) as error:
        raise InvalidProblem(f"{name}: {key} is no vector of {size} numbers: {error}") from error


def _canonical(A: Any, name: str) -> sp.csr_matrix:
    """Own csr copy of ``A`` with sorted indices and no zeros."""
    try:
        if sp.issparse(A) and A.format == "coo":
            matrix = sp.csr_matrix(A.tocsr())
            if matrix.nnz != A.nnz:  # tocsr adds up repeated places
                flat = np.sort(A.row.astype(np.int64) * A.shape[1] + A.col)
                place = int(flat[:-1][flat[1:] == flat[:-1]][0])
                raise InvalidProblem(_twice(name, place // A.shape[1], place % A.shape[1]))
        else:
            matrix = sp.csr_matrix(A, copy=True)
        matrix = matrix.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise InvalidProblem(f"{name}: A is no matrix of numbers: {error}") from error
    matrix.sort_indices()
    _refuse_unsorted(matrix, name)
    matrix.eliminate_zeros()
    return matrix


def _refuse_unsorted(matrix: sp.csr_matrix, name: str) -> None:
    """Raise for repeated or unsorted column indices within a row."""
    indices, indptr = matrix.indices, matrix.indptr
    step = np.diff(indices)
    inner = np.ones(len(step), bool)
    starts = indptr[1:-1]
    inner[starts[(starts > 0) & (starts < len(indices))] - 1] = False
    bad = np.flatnonzero(inner & (step <= 0))
    if not len(bad):
        return
    k = int(bad[0])
    row = int(np.searchsorted(indptr, k, side="right")) - 1
    if step[k] == 0:
        raise InvalidProblem(_twice(name, row, int(indices[k])))
    raise InvalidProblem(f"{name}: row {row} of A has unsorted column indices; expected a canonical csr_matrix")


def _twice(name: str, row: int, column: int) -> str:
    return f"{name}: A has two entries at row {row}, column {column}; expected one (their sum or the last is a guess)"
