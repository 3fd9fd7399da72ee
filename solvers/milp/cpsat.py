"""CP-SAT of OR-Tools: pure integer problems with coefficients scaled to integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from data.ilp.problem import ILP, INTEGRALITY
from runs.errors import ConfigError, SolverFailure, require
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution, Status
from solvers.milp.base import OnIncumbent
from solvers.milp.incumbent import Incumbent
from solvers.milp.integer_scaling import integer_factor
from solvers.milp.lp import PersistentLP
from solvers.milp.native import Candidate, Outcome, solve_native

_UNBOUNDED = 10**9
_INT64 = 2**63 - 1
_LARGEST_ACTIVITY = 2.0**60


class CpSat:
    """Constraint programming with CP-SAT; see :class:`solvers.milp.base.MilpSolver`.

    ``budget.evaluations`` limits conflicts. Infinite bounds become +-10^9; what that proves is reported as proved only
    where the LP relaxation agrees.

    Parameters
    ----------
    workers
        Threads; 1 for comparisons with the other back ends.
    lns_only
        Only CP-SAT's own large neighbourhood search after the first solution (interleaved on one worker).
    lb_relax_lns
        Its LB-RELAX neighbourhoods, also with fewer than the 16 workers from which CP-SAT turns them on by itself.
    parameters
        Further fields of ``SatParameters`` by name.

    Raises
    ------
    ConfigError
        When solving: continuous variables, coefficients that no factor makes integer within 1e-6 relative, sums beyond
        64 bits, an unknown parameter.
    """

    def __init__(
        self,
        workers: int = 1,
        lns_only: bool = False,
        lb_relax_lns: bool = False,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        self.workers = workers
        self.lns_only = lns_only
        self.lb_relax_lns = lb_relax_lns
        self.parameters = dict(parameters or {})

    def solve(
        self,
        problem: ILP,
        *,
        budget: Budget,
        scorer: object = None,
        initial: np.ndarray | None = None,
        cutoff: float | None = None,
        rng: np.random.Generator,
        on_incumbent: OnIncumbent | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        if not problem.integer.all():
            j = int(np.argmin(problem.integer))
            raise ConfigError(
                f"cp_sat takes integer variables only; {problem.describe_variable(j)} of {problem.name} is continuous. "
                "Use solver scip or highs"
            )
        incumbent = Incumbent(problem, budget, initial, cutoff, on_incumbent, checkpoint)
        seed = int(rng.integers(2**31 - 1))
        return solve_native(incumbent, lambda: _CpModel(self, incumbent, seed))


class _CpModel:
    """One CP-SAT model of one solve; objective without its offset, as a minimisation, times ``factor``."""

    def __init__(self, solver: CpSat, incumbent: Incumbent, seed: int) -> None:
        require("ortools", "solvers")
        from ortools.sat.python import cp_model

        self._cp_model = cp_model
        self._incumbent = incumbent
        self._problem = problem = incumbent.problem.to_min()
        self._stopped = False
        self._clipped = not (np.isfinite(problem.lb).all() and np.isfinite(problem.ub).all())
        lb = np.ceil(np.maximum(problem.lb, -_UNBOUNDED) - INTEGRALITY).astype(np.int64)
        ub = np.floor(np.minimum(problem.ub, np.where(np.isinf(problem.ub), _UNBOUNDED, np.inf)) + INTEGRALITY)
        self._reach = np.maximum(np.abs(lb), np.abs(ub)).astype(np.float64)
        self.model = cp_model.CpModel()
        self.variables = [
            self.model.new_int_var(low, high, "")
            for low, high in zip(lb.tolist(), ub.astype(np.int64).tolist(), strict=True)
        ]
        self._add_rows()
        self._add_objective()
        if incumbent.start is not None:
            for j in np.flatnonzero(~np.isnan(incumbent.start)).tolist():
                self.model.add_hint(self.variables[j], round(float(incumbent.start[j])))
        self._refuse(self.model.validate())
        self._solver = self._configured(solver, seed)

    def _configured(self, solver: CpSat, seed: int) -> Any:
        cp_solver = self._cp_model.CpSolver()
        conflicts = self._incumbent.evaluations_left
        parameters = {
            "num_workers": solver.workers,
            "random_seed": seed,
            "catch_sigint_signal": False,
            "use_lns_only": solver.lns_only,
            # without it a single worker runs the plain search whatever use_lns_only says
            "interleave_search": solver.lns_only and solver.workers == 1,
            "use_lb_relax_lns": solver.lb_relax_lns,
            **({"lb_relax_num_workers_threshold": 1} if solver.lb_relax_lns else {}),
            **({} if conflicts is None else {"max_number_of_conflicts": conflicts}),
            **solver.parameters,
        }
        for name, value in parameters.items():
            if not hasattr(cp_solver.parameters, name):
                raise ConfigError(f"CP-SAT has no parameter {name!r} (fields of SatParameters)")
            try:
                setattr(cp_solver.parameters, name, value)
            except (TypeError, ValueError) as error:
                raise ConfigError(f"CP-SAT refuses the parameter {name} = {value!r}: {error}") from error
        return cp_solver

    def _add_rows(self) -> None:
        problem, matrix = self._problem, self._problem.A
        starts = matrix.indptr.tolist()
        sides = zip(problem.row_lo.tolist(), problem.row_hi.tolist(), strict=True)
        if (matrix.data == np.rint(matrix.data)).all():  # per-row numpy calls would triple the time of a big model
            variables = [self.variables[j] for j in matrix.indices.tolist()]
            coefficients = [int(value) for value in matrix.data.tolist()]
            for (lo, hi), begin, end in zip(sides, starts[:-1], starts[1:], strict=True):
                self._add_row(variables[begin:end], coefficients[begin:end], _side(lo, False), _side(hi, True))
            return
        for i, (lo, hi) in enumerate(sides):
            row = slice(starts[i], starts[i + 1])
            factor = self._factor(matrix.data[row], matrix.indices[row], problem.describe_row(i))
            self._add_scaled_row(matrix.indices[row], matrix.data[row], lo, hi, factor)

    def _add_scaled_row(self, indices: np.ndarray, values: np.ndarray, lo: float, hi: float, factor: int) -> None:
        error = float(np.abs(values * factor - np.rint(values * factor)) @ self._reach[indices])
        low, high = (_side(side, upper, factor, error) for side, upper in ((lo, False), (hi, True)))
        self._add_row(*self._scaled(indices, values, factor), low, high)

    def _add_row(self, variables: list[Any], coefficients: list[int], low: int, high: int) -> None:
        if variables:
            row = self._cp_model.LinearExpr.weighted_sum(variables, coefficients)
            self.model.add_linear_constraint(row, low, high)
        elif low > 0 or high < 0:
            self.model.add_bool_or([])  # an empty row that nothing satisfies

    def _scaled(self, indices: np.ndarray, values: np.ndarray, factor: int) -> tuple[list[Any], list[int]]:
        variables = [self.variables[j] for j in indices.tolist()]
        return variables, [int(value) for value in np.rint(values * factor).tolist()]

    def _add_objective(self) -> None:
        indices = np.flatnonzero(self._problem.c)
        values = self._problem.c[indices]
        self._factor_of_objective = factor = self._factor(values, indices, "the objective")
        self.model.minimize(self._cp_model.LinearExpr.weighted_sum(*self._scaled(indices, values, factor)))
        if self._incumbent.cutoff is not None:
            self._add_scaled_row(indices, values, -math.inf, self._incumbent.native_cutoff, factor)

    def _factor(self, values: np.ndarray, indices: np.ndarray, where: str) -> int:
        largest = _LARGEST_ACTIVITY / max(1.0, float(self._reach[indices].sum()))
        factor = integer_factor(values, largest)
        if factor is None:
            raise ConfigError(
                f"cp_sat: the coefficients of {where} of {self._problem.name} cannot be scaled to integers within 1e-6 "
                "relative and 64 bits. Use solver scip or highs"
            )
        return factor

    def _refuse(self, complaint: str) -> None:
        if complaint:
            raise ConfigError(f"cp_sat cannot take {self._problem.name}: {complaint.strip()}. Use solver scip or highs")

    def run(self, report: Callable[[Candidate], None]) -> Outcome:
        remaining = self._incumbent.meter.remaining_seconds
        parameters = self._solver.parameters
        parameters.max_time_in_seconds = min(parameters.max_time_in_seconds, remaining)
        code = self._solver.solve(self.model, self._callback(report))
        nodes = int(self._solver.num_conflicts)
        status = meaning(self._solver.status_name(code))
        bound = self._bound(self._solver.best_objective_bound) if status != Status.INFEASIBLE else math.nan
        if self._clipped and status != Status.NO_SOLUTION:
            return self._confirmed(status, nodes)
        return Outcome(status, math.nan if self._clipped else bound, nodes)

    def _confirmed(self, status: Status, nodes: int) -> Outcome:
        """What holds without the +-10^9 that stand for infinite bounds, by the LP relaxation."""
        result = PersistentLP(self._problem).solve("dual_simplex", seconds=self._incumbent.meter.remaining_seconds)
        if result.status == Status.INFEASIBLE:
            return Outcome(Status.INFEASIBLE, nodes=nodes)
        if result.status == Status.UNBOUNDED and status == Status.OPTIMAL:
            return Outcome(Status.UNBOUNDED, nodes=nodes)
        if result.status == Status.OPTIMAL:
            bound = -result.objective if self._incumbent.problem.maximize else result.objective
            proved = status == Status.OPTIMAL  # stands if the incumbent meets the bound; Incumbent compares them
            return Outcome(Status.OPTIMAL if proved else Status.NO_SOLUTION, bound, nodes)
        return Outcome(Status.NO_SOLUTION, nodes=nodes)

    def _callback(self, report: Callable[[Candidate], None]) -> Any:
        model = self

        class Callback(self._cp_model.CpSolverSolutionCallback):  # type: ignore[name-defined,misc]
            def on_solution_callback(self) -> None:
                x = np.fromiter((self.value(v) for v in model.variables), np.float64, len(model.variables))
                seconds = model._incumbent.meter.seconds
                bound = math.nan if model._clipped else model._bound(self.best_objective_bound)
                report(Candidate(x, seconds, int(self.num_conflicts), bound))
                if model._stopped:
                    self.stop_search()

        return Callback()

    def _bound(self, dual: float) -> float:
        minimal = dual / self._factor_of_objective + self._problem.offset
        return -minimal if self._incumbent.problem.maximize else minimal

    def stop(self) -> None:
        self._stopped = True
        self._solver.stop_search()


def meaning(status: str) -> Status:
    """Our word for the name of a status of CP-SAT; a limit (UNKNOWN, FEASIBLE) is ``no_solution``, whatever was found.

    Raises
    ------
    SolverFailure
        CP-SAT calls the model invalid, or the status is none that we know; names it.
    """
    found = {"OPTIMAL": Status.OPTIMAL, "INFEASIBLE": Status.INFEASIBLE}
    found |= {"FEASIBLE": Status.NO_SOLUTION, "UNKNOWN": Status.NO_SOLUTION}
    if status not in found:
        raise SolverFailure(f"CP-SAT stopped with status {status}")
    return found[status]


def _side(side: float, upper: bool, factor: int = 1, error: float = 0.0) -> int:
    """Side of a row whose coefficients were multiplied by ``factor`` and rounded, which moves activities by ``error``.

    Rounded inwards after giving way by that error, at most by a tenth of the tolerance of ``ILP.is_feasible``.
    """
    if math.isinf(side):
        return _INT64 if side > 0 else -_INT64
    slack = 1e-6 + min(error, factor * 1e-7 * max(1.0, abs(side)))
    scaled = side * factor
    return min(math.floor(scaled + slack), _INT64) if upper else max(math.ceil(scaled - slack), -_INT64)
