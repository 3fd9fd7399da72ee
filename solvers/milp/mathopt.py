"""LP relaxations by OR-Tools through MathOpt: Glop (simplex) and PDLP (first order), as peers of :mod:`solvers.milp.lp`."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError, InvalidProblem, SolverFailure, require
from solvers.base import Status
from solvers.milp.lp import LPResult

SOLVERS = ("glop", "pdlp")


class MathOptLP:
    """Solves an LP relaxation from scratch on one thread.

    Parameters
    ----------
    solver
        ``glop`` or ``pdlp``.

    Raises
    ------
    ConfigError
        Unknown solver.
    """

    def __init__(self, solver: str = "glop") -> None:
        if solver not in SOLVERS:
            raise ConfigError(f"lp.solver is {solver!r}; choose one of {', '.join(SOLVERS)}")
        self.solver = solver

    def solve(self, problem: ILP, seconds: float | None = None) -> LPResult:
        """Optimum of a minimisation without its integrality; signs of duals as in :mod:`solvers.milp.lp`.

        Raises
        ------
        InvalidProblem
            The problem is a maximisation.
        SolverFailure
            OR-Tools failed with an error of its own, or cannot tell infeasible from unbounded.
        """
        if problem.maximize:
            raise InvalidProblem(f"{problem.name}: MathOptLP takes a minimisation; pass problem.to_min()")
        require("ortools", "solvers")
        from ortools.math_opt.python import mathopt

        model = mathopt.Model.from_model_proto(_model_proto(problem))
        limit = None if seconds is None else datetime.timedelta(seconds=max(seconds, 1e-3))
        parameters = mathopt.SolveParameters(threads=1, time_limit=limit)
        kind = mathopt.SolverType.GLOP if self.solver == "glop" else mathopt.SolverType.PDLP
        try:
            result = mathopt.solve(model, kind, params=parameters)
        except Exception as error:  # OR-Tools raises bare StatusNotOk and RuntimeError
            raise SolverFailure(f"{self.solver} failed on {problem.name}: {error}") from error
        return _lp_result(result, problem)


def _model_proto(problem: ILP) -> Any:
    from ortools.math_opt import model_pb2

    proto = model_pb2.ModelProto(name=problem.name)
    columns, rows = range(problem.n), range(problem.m)
    proto.variables.ids.extend(columns)
    proto.variables.lower_bounds.extend(problem.lb.tolist())
    proto.variables.upper_bounds.extend(problem.ub.tolist())
    proto.variables.integers.extend([False] * problem.n)
    proto.objective.offset = problem.offset
    used = np.flatnonzero(problem.c)
    proto.objective.linear_coefficients.ids.extend(used.tolist())
    proto.objective.linear_coefficients.values.extend(problem.c[used].tolist())
    proto.linear_constraints.ids.extend(rows)
    proto.linear_constraints.lower_bounds.extend(problem.row_lo.tolist())
    proto.linear_constraints.upper_bounds.extend(problem.row_hi.tolist())
    matrix = problem.A.tocoo()
    proto.linear_constraint_matrix.row_ids.extend(matrix.row.tolist())
    proto.linear_constraint_matrix.column_ids.extend(matrix.col.tolist())
    proto.linear_constraint_matrix.coefficients.extend(matrix.data.tolist())
    return proto


def meaning(reason: str) -> Status:
    """Our word for the name of a ``TerminationReason``; a limit is ``no_solution``.

    Raises
    ------
    SolverFailure
        OR-Tools failed, cannot tell infeasible from unbounded, or the reason is none that we know; names it.
    """
    words = {"OPTIMAL": Status.OPTIMAL, "INFEASIBLE": Status.INFEASIBLE, "UNBOUNDED": Status.UNBOUNDED}
    words |= {"FEASIBLE": Status.NO_SOLUTION, "NO_SOLUTION_FOUND": Status.NO_SOLUTION}
    if reason not in words:
        raise SolverFailure(f"OR-Tools stopped with {reason}")
    return words[reason]


def _lp_result(result: Any, problem: ILP) -> LPResult:
    status = meaning(result.termination.reason.name)
    statistics = result.solve_stats
    iterations = statistics.simplex_iterations + statistics.first_order_iterations
    seconds = statistics.solve_time.total_seconds()
    if status != Status.OPTIMAL:
        return LPResult(status, math.nan, None, None, None, iterations, seconds)
    x = _vector(result.variable_values(), problem.n)
    duals, reduced_costs = _vector(result.dual_values(), problem.m), _vector(result.reduced_costs(), problem.n)
    return LPResult(status, problem.objective(x), x, duals, reduced_costs, iterations, seconds)


def _vector(values: dict[Any, float], size: int) -> np.ndarray:
    vector = np.zeros(size)
    for key, value in values.items():
        vector[key.id] = value
    return vector
