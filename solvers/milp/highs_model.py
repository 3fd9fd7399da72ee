"""A silent HiGHS object and what is put into it, for :mod:`solvers.milp.highs` and :mod:`solvers.milp.lp`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError, SolverFailure, require
from solvers.base import Status

AMBIGUOUS = "kUnboundedOrInfeasible"
"""The one answer of HiGHS that is neither a status of ours nor a failure."""

_MEANINGS = {
    "kOptimal": Status.OPTIMAL,
    "kModelEmpty": Status.OPTIMAL,
    "kInfeasible": Status.INFEASIBLE,
    "kUnbounded": Status.UNBOUNDED,
    "kObjectiveBound": Status.NO_SOLUTION,
    "kObjectiveTarget": Status.NO_SOLUTION,
    "kTimeLimit": Status.NO_SOLUTION,
    "kIterationLimit": Status.NO_SOLUTION,
    "kSolutionLimit": Status.NO_SOLUTION,
    "kInterrupt": Status.INTERRUPTED,
    "kHighsInterrupt": Status.INTERRUPTED,
}
_REASONS = {
    "kNotset": "it solved nothing",
    "kLoadError": "it could not load the model",
    "kModelError": "it takes the model for broken",
    "kPresolveError": "its presolve failed",
    "kSolveError": "its search failed",
    "kPostsolveError": "its postsolve failed",
    "kMemoryLimit": "it ran out of memory",
    "kUnknown": "it cannot tell what its answer is worth",
    AMBIGUOUS: "it cannot tell infeasible from unbounded",
}


def meaning(status: Any) -> Status:
    """Our word for a ``HighsModelStatus``; a limit is ``no_solution``, whatever was found before it.

    Raises
    ------
    SolverFailure
        HiGHS failed, or the status is none that we know; names it.
    """
    if status.name not in _MEANINGS:
        reason = _REASONS.get(status.name, "which is unknown here")
        raise SolverFailure(f"HiGHS stopped with status {status.name}: {reason}")
    return _MEANINGS[status.name]


def quiet_highs() -> Any:
    """A new ``highspy.Highs`` that prints nothing."""
    return _quiet_class()()


@functools.cache
def _quiet_class() -> type:
    highspy = require("highspy", "solvers")

    class QuietHighs(highspy.Highs):  # type: ignore[name-defined,misc]
        def enableCallbacks(self) -> Any:  # noqa: N802
            """Called by the constructor, where HiGHS prints its banner unless it was silenced before."""
            self.silent()
            return super().enableCallbacks()

    return QuietHighs


def set_option(highs: Any, key: str, value: Any) -> None:
    """Set one HiGHS option.

    Raises
    ------
    ConfigError
        HiGHS does not know the option or refuses the value.
    """
    if "kError" in str(highs.setOptionValue(key, value)):
        raise ConfigError(f"HiGHS refuses the setting {key}={value!r}: unknown name, wrong type or out of range")


def pass_model(highspy: Any, highs: Any, problem: ILP, relax: bool = False) -> None:
    """Hand a minimisation to HiGHS as arrays.

    Raises
    ------
    InvalidProblem
        HiGHS refuses it, and so do we; names the place.
    SolverFailure
        HiGHS alone refuses it.
    """
    matrix = problem.A
    kinds = np.zeros(problem.n, np.int32) if relax else problem.integer.astype(np.int32)
    status = highs.passModel(
        problem.n,
        problem.m,
        matrix.nnz,
        int(highspy.MatrixFormat.kRowwise),
        int(highspy.ObjSense.kMinimize),
        problem.offset,
        problem.c,
        problem.lb,
        problem.ub,
        problem.row_lo,
        problem.row_hi,
        matrix.indptr.astype(np.int32),
        matrix.indices.astype(np.int32),
        matrix.data,
        kinds,
    )
    if status == highspy.HighsStatus.kError:
        problem.validate()
        raise SolverFailure(f"{problem.name}: HiGHS refuses the model without a reason")
