"""A linear program that stays in memory between solves: changed costs, bounds and rows, warm-started (HiGHS).

Signs: for a minimisation with Lagrangian ``c x - duals (A x - side)`` the dual of a row is the change of the optimum per
unit of the side it sits at (>= 0 at ``row_lo``, <= 0 at ``row_hi``), and ``reduced_costs = c - A^T duals`` (>= 0 at
``lb``, <= 0 at ``ub``). These are the ``marginals`` of ``scipy.optimize.linprog``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from data.ilp.problem import ILP
from data.ilp.root_lp import BasisStatus
from runs import interrupt
from runs.errors import ConfigError, InvalidProblem, SolverFailure, require
from solvers.base import Status
from solvers.milp.highs_model import AMBIGUOUS, meaning, pass_model, quiet_highs, set_option

ALGORITHMS = ("auto", "dual_simplex", "primal_simplex", "simplex", "ipm", "pdlp")


class LPUnfinished(ConfigError):
    """Time was over, or a signal asked to stop, before an LP was solved that others build on."""


@dataclass(frozen=True)
class LPResult:
    """Answer of an LP solve; arrays are None unless the status is ``optimal``.

    ``duals`` (m,) and ``reduced_costs`` (n,) follow the signs of this module's docstring. ``seconds`` is the solver's own.
    """

    status: Status
    objective: float
    x: np.ndarray | None
    duals: np.ndarray | None
    reduced_costs: np.ndarray | None
    iterations: int = 0
    seconds: float = 0.0


class PersistentLP:
    """LP relaxation of a minimisation, built once, changed in place and solved many times on one thread.

    Parameters
    ----------
    problem
        A minimisation (``problem.to_min()``); its integrality is dropped, its offset kept.
    settings
        Further HiGHS options by name.

    Raises
    ------
    InvalidProblem
        The problem is a maximisation.

    Notes
    -----
    The row of local branching changes with every incumbent. Measured with 20 flipped signs (MVC 1000 x 65,100; MIS
    6000 x 24,000), dual simplex after ``changeCoeff``: .30-.45 s; 2.9-4.2 s, nearly all of it the exact steepest-edge
    weights of a basis whose matrix was touched; after deleting the last row and appending it anew: .22-.33 s; .58-.66 s
    (primal simplex after ``changeCoeff`` .18-.32; .8-1.1, cold IPM .6-.7; .9-1.2). The update itself is under .6 ms
    either way. So :meth:`set_row` of the last row appends anew: put the row that moves last.
    """

    def __init__(self, problem: ILP, settings: dict[str, Any] | None = None) -> None:
        if problem.maximize:
            raise InvalidProblem(f"{problem.name}: PersistentLP takes a minimisation; pass problem.to_min()")
        self._highspy = highspy = require("highspy", "solvers")
        self._highs = quiet_highs()
        self.n, self.m = problem.n, problem.m
        self._offset = problem.offset
        self._warm = False  # a vertex is known; HiGHS keeps it through set_row although it then calls its basis invalid
        self._columns = np.arange(self.n, dtype=np.int32)
        options = {"threads": 1, "parallel": "off"} | (settings or {})
        for key, value in options.items():
            set_option(self._highs, key, value)
        pass_model(highspy, self._highs, problem, relax=True)
        for event in (self._highs.cbSimplexInterrupt, self._highs.cbIpmInterrupt):
            event.subscribe(_stop_on_signal)

    def set_costs(self, c: np.ndarray, index: np.ndarray | None = None) -> None:
        """Replace all objective coefficients (n,), or those at ``index``."""
        index = self._columns if index is None else np.asarray(index, np.int32)
        values = np.broadcast_to(np.asarray(c, np.float64), index.shape)
        self._check(self._highs.changeColsCost(len(index), index, values), "costs")

    def set_bounds(self, lb: np.ndarray, ub: np.ndarray, index: np.ndarray | None = None) -> None:
        """Replace the bounds of all variables (n,), or of those at ``index`` (changed,)."""
        index = self._columns if index is None else np.asarray(index, np.int32)
        lower, upper = (np.broadcast_to(np.asarray(side, np.float64), index.shape) for side in (lb, ub))
        self._check(self._highs.changeColsBounds(len(index), index, lower, upper), "bounds")

    def set_row_bounds(self, index: int, lo: float, hi: float) -> None:
        """Replace the two sides of one row."""
        self._check(self._highs.changeRowBounds(self._row(index), lo, hi), f"sides of row {index}")

    def add_row(self, coefficients: np.ndarray | sp.sparray | sp.spmatrix, lo: float, hi: float) -> int:
        """Append a row given as a dense (n,) vector or a sparse 1 x n matrix; returns its index."""
        index, values = _entries(coefficients, self.n)
        self._check(self._highs.addRow(lo, hi, len(index), index, values), "new row")
        self.m += 1
        return self.m - 1

    def add_rows(self, A: sp.csr_matrix, lo: np.ndarray, hi: np.ndarray) -> None:
        """Append the rows of ``A`` (r, n), sides (r,)."""
        starts, index = A.indptr[:-1].astype(np.int32), A.indices.astype(np.int32)
        sides = np.asarray(lo, np.float64), np.asarray(hi, np.float64)
        self._check(self._highs.addRows(A.shape[0], *sides, A.nnz, starts, index, A.data), f"{A.shape[0]} new rows")
        self.m += A.shape[0]

    def delete_row(self, index: int) -> None:
        """Remove a row; the ones behind it move up."""
        row = self._row(index)
        self._check(self._highs.deleteRows(1, np.array([row], np.int32)), f"row {row}")
        self.m -= 1

    def set_row(self, index: int, coefficients: np.ndarray | sp.sparray | sp.spmatrix, lo: float, hi: float) -> None:
        """Replace a row's coefficients (n,) and sides, keeping the basis; the last row is the fast one (see Notes)."""
        row = self._row(index)
        if row == self.m - 1:
            self.delete_row(row)
            self.add_row(coefficients, lo, hi)
            return
        new_index, new_values = _entries(coefficients, self.n)
        _, old_index, old_values = self._highs.getRowEntries(row)
        change = np.zeros(self.n)
        change[np.asarray(old_index, int)] = old_values
        fresh = np.zeros(self.n)
        fresh[new_index] = new_values
        for j in np.flatnonzero(change != fresh):
            self._check(self._highs.changeCoeff(row, int(j), float(fresh[j])), f"row {index}")
        self.set_row_bounds(index, lo, hi)

    def solve(self, algorithm: str = "auto", crossover: bool = True, seconds: float | None = None) -> LPResult:
        """Solve from the last basis where there is one.

        Parameters
        ----------
        algorithm
            ``auto`` (interior point for the first solve, warm dual simplex afterwards), ``dual_simplex`` or ``simplex``,
            ``primal_simplex``, ``ipm``, ``pdlp``.
        crossover
            Whether ``ipm`` ends in a vertex; without it the answer is interior to the optimal face and leaves no basis.
        seconds
            Wall-clock limit; status ``no_solution`` when it is reached.

        Raises
        ------
        ConfigError
            Unknown algorithm.
        SolverFailure
            HiGHS failed or cannot tell what its answer is worth, by interior point and by simplex; names its status.
        """
        if algorithm not in ALGORITHMS:
            raise ConfigError(f"lp.algorithm is {algorithm!r}; choose one of {', '.join(ALGORITHMS)}")
        if algorithm == "auto":
            algorithm = "dual_simplex" if self._warm else "ipm"
        if self.n == 0 or self.m == 0:
            algorithm = "dual_simplex"
        began = self._highs.getRunTime()
        limit = math.inf if seconds is None else began + seconds
        self._run(algorithm, crossover, limit)
        status = self._highs.getModelStatus()
        kinds = self._highspy.HighsModelStatus
        if status in (kinds.kUnknown, kinds.kSolveError) and algorithm in ("ipm", "pdlp"):
            self._run("dual_simplex", crossover, limit)
        elif status.name == AMBIGUOUS:
            self._run("primal_simplex", crossover, limit, presolve="off")
        result = self._result(began)
        vertex = algorithm.endswith("simplex") or (algorithm == "ipm" and crossover and result.status == Status.OPTIMAL)
        self._warm = vertex
        return result

    def basis(self) -> tuple[np.ndarray, np.ndarray] | None:
        """:class:`BasisStatus` codes of variables (n,) and rows (m,), int8; None before a vertex is known."""
        basis = self._highs.getBasis()
        if not basis.valid:
            return None
        return _codes(basis.col_status), _codes(basis.row_status)

    def set_basis(self, columns: np.ndarray, rows: np.ndarray) -> None:
        """Start the next solve from these codes, (n,) and (m,), as :meth:`basis` gave them.

        The edge weights of the dual simplex are no part of a basis: the next dual solve computes them (seconds on a big
        problem; ``primal_simplex`` does not), and of several optimal vertices it may reach another one.

        Raises
        ------
        ConfigError
            They do not fit the problem or are no basis.
        """
        fits = len(columns) == self.n and len(rows) == self.m
        if not fits or not self._accepts_basis(columns, rows):
            raise ConfigError(
                f"lp: {len(columns)} column and {len(rows)} row codes are no basis of {self.n} variables, {self.m} rows"
            )
        self._warm = True

    def _accepts_basis(self, columns: np.ndarray, rows: np.ndarray) -> bool:
        names = {int(code): self._highspy.HighsBasisStatus(int(code)) for code in BasisStatus}
        if not {*np.unique(columns).tolist(), *np.unique(rows).tolist()} <= set(names):
            return False
        basis = self._highspy.HighsBasis()
        basis.col_status = [names[code] for code in columns.tolist()]
        basis.row_status = [names[code] for code in rows.tolist()]
        basis.valid = True
        return bool(self._highs.setBasis(basis) != self._highspy.HighsStatus.kError)

    def _row(self, index: int) -> int:
        if not 0 <= index < self.m:
            raise ConfigError(f"lp: row {index} is outside 0..{self.m - 1}")
        return int(index)

    def _run(self, algorithm: str, crossover: bool, limit: float, presolve: str = "choose") -> None:
        simplex = algorithm.endswith("simplex")
        set_option(self._highs, "solver", "simplex" if simplex else algorithm)
        set_option(self._highs, "simplex_strategy", 4 if algorithm == "primal_simplex" else 1)
        set_option(self._highs, "run_crossover", "on" if crossover else "off")
        # presolve would throw the basis away
        set_option(self._highs, "presolve", "off" if simplex and self._warm else presolve)
        # LP runs compare time_limit with a clock that adds up over all runs of the model
        set_option(self._highs, "time_limit", limit)
        if not simplex:
            self._highs.clearSolver()
        with interrupt.watch():
            if self._highs.run() == self._highspy.HighsStatus.kError and algorithm not in ("ipm", "pdlp"):
                raise SolverFailure(f"HiGHS {algorithm} ended with status {self._highs.getModelStatus().name}")

    def _result(self, began: float) -> LPResult:
        info = self._highs.getInfo()
        status = meaning(self._highs.getModelStatus())
        iterations = max(info.simplex_iteration_count, 0) + max(info.ipm_iteration_count, 0)
        iterations += max(info.pdlp_iteration_count, 0)
        seconds = self._highs.getRunTime() - began
        if status != Status.OPTIMAL:
            return LPResult(status, math.nan, None, None, None, iterations, seconds)
        answer = self._highs.getSolution()
        return LPResult(
            status,
            info.objective_function_value if self.n else self._offset,
            np.array(answer.col_value),
            np.array(answer.row_dual),
            np.array(answer.col_dual),
            iterations,
            seconds,
        )

    def _check(self, status: Any, what: str) -> None:
        if status == self._highspy.HighsStatus.kError:
            raise InvalidProblem(
                f"lp: HiGHS refused the {what}: wrong length, crossed limits or a value that is not finite"
            )


def _stop_on_signal(event: Any) -> None:
    if interrupt.requested():
        event.interrupt()


def _entries(coefficients: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Column indices (int32) and values of a row's nonzeros."""
    if sp.issparse(coefficients):
        row = sp.csr_matrix(coefficients)
        if row.shape != (1, n):
            raise InvalidProblem(f"lp: the row has shape {row.shape}; expected (1, {n})")
        return row.indices.astype(np.int32), row.data.astype(np.float64)
    dense = np.asarray(coefficients, np.float64)
    if dense.shape != (n,):
        raise InvalidProblem(f"lp: the row has shape {dense.shape}; expected ({n},)")
    index = np.flatnonzero(dense).astype(np.int32)
    return index, dense[index]


def _codes(statuses: Any) -> np.ndarray:
    return np.fromiter((int(status) for status in statuses), np.int8, len(statuses))
