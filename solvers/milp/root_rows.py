"""The rows of SCIP's root LP, cuts included, as the released code's graph has them (docs/papers/cl_lns.md#3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from data.ilp.problem import ILP
from data.ilp.root_rows import RootRows
from runs import interrupt
from runs.errors import InvalidProblem, require
from solvers.milp.lp import LPUnfinished
from solvers.milp.scip import load, meaning

INFINITY = 1e20


def root_rows(problem: ILP, seconds: float | None = None) -> RootRows:
    """Solve the root node of a minimisation with SCIP, presolve and heuristics off, and read the rows of its last LP.

    Symmetry handling is off, so every integer solution keeps them. Where SCIP settles the problem at the root it keeps no
    LP, and the rows are the constraints. Next to the cuts, rows hold SCIP's form of the constraints, so one that only bounds
    a variable may be missing.

    Raises
    ------
    MissingDependency
        PySCIPOpt is not installed.
    InvalidProblem
        The problem is a maximisation, or SCIP proves it infeasible or unbounded.
    LPUnfinished
        The root was not finished within ``seconds``, or a signal came.
    SolverFailure
        SCIP failed; names its status.
    """
    scip = require("pyscipopt", "solvers")
    if problem.maximize:
        raise InvalidProblem(f"{problem.name}: root rows are of minimisations; pass problem.to_min()")
    model = scip.Model()
    try:
        with interrupt.watch():
            _solve_root(scip, model, problem, seconds)
        status = model.getStatus()
        if status in ("infeasible", "unbounded", "inforunbd"):
            raise InvalidProblem(f"{problem.name}: SCIP's root node finds the problem {status}")
        meaning(status)
        if status in ("timelimit", "userinterrupt"):
            raise LPUnfinished(f"{problem.name}: the root node was not finished ({status}); give it more seconds")
        if model.getStage() != scip.SCIP_STAGE.SOLVING:
            return RootRows(problem.A, problem.row_lo, problem.row_hi, np.full(problem.m, 2))
        return _read(problem, model.getLPRowsData())
    finally:
        model.free()


def _solve_root(scip: Any, model: Any, problem: ILP, seconds: float | None) -> None:
    model.hideOutput()
    model.setPresolve(scip.SCIP_PARAMSETTING.OFF)
    model.setHeuristics(scip.SCIP_PARAMSETTING.OFF)
    limit = INFINITY if seconds is None else min(seconds, INFINITY)
    for name, value in {
        "limits/nodes": 1,
        "limits/restarts": 0,
        "limits/time": limit,
        "misc/catchctrlc": False,
    }.items():
        model.setParam(name, value)
    load(model, problem)

    def stop_on_signal(model: Any, event: Any) -> None:
        if interrupt.requested():
            model.interruptSolve()

    model.attachEventHandlerCallback(stop_on_signal, [scip.SCIP_EVENTTYPE.LPSOLVED])
    model.optimizeNogil()


def _read(problem: ILP, rows: list[Any]) -> RootRows:
    """Variables are found by the names that ``load`` gave them: ``x<column>``, ``t_x<column>`` once transformed."""
    columns = [[int(column.getVar().name.rpartition("x")[2]) for column in row.getCols()] for row in rows]
    values = [value for row in rows for value in row.getVals()]
    starts = np.cumsum([0, *map(len, columns)])
    index = [column for row in columns for column in row]
    matrix = sp.csr_matrix((np.array(values, float), np.array(index, int), starts), shape=(len(rows), problem.n))
    constant = np.array([row.getConstant() for row in rows])
    low = np.array([row.getLhs() for row in rows]) - constant
    high = np.array([row.getRhs() for row in rows]) - constant
    return RootRows(
        matrix,
        np.where(low <= -INFINITY, -np.inf, low),
        np.where(high >= INFINITY, np.inf, high),
        np.array([int(row.getOrigintype()) for row in rows]),
    )
