"""A silent HiGHS object and what is put into it, for :mod:`solvers.milp.highs` and :mod:`solvers.milp.lp`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError, SolverFailure, require


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
    SolverFailure
        HiGHS refuses it.
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
        raise SolverFailure(f"{problem.name}: HiGHS refuses the model; problem.validate() tells more")
