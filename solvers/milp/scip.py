"""SCIP through PySCIPOpt."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError, SolverFailure, require
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution, Status
from solvers.milp.base import OnIncumbent
from solvers.milp.incumbent import Incumbent
from solvers.milp.native import Candidate, Outcome, solve_native

EMPHASES = ("default", "aggressive")
_INFINITY = 1e20
_AMBIGUOUS = "inforunbd"
_PROOFS = {"optimal": Status.OPTIMAL, "infeasible": Status.INFEASIBLE, "unbounded": Status.UNBOUNDED}
_LIMITS = (
    "nodelimit", "totalnodelimit", "stallnodelimit", "timelimit", "gaplimit", "primallimit", "duallimit", "sollimit",
    "bestsollimit", "restartlimit", "userinterrupt", "terminate",
)  # fmt: skip
_REASONS = {"unknown": "it solved nothing", "memlimit": "it ran out of memory"}


class Scip:
    """Branch and bound with SCIP, one thread; see :class:`solvers.milp.base.MilpSolver`.

    Parameters
    ----------
    emphasis
        ``default``, or ``aggressive``: SCIP's setting ``heuristics/emphasis/aggressive`` (the paper's ``bnb_aggressive``).
    presolve
        False turns SCIP's presolving off.
    settings
        Further SCIP parameters by name, for example ``{"limits/gap": 0.01}``.

    Raises
    ------
    ConfigError
        Unknown emphasis; when solving, a parameter that SCIP refuses.
    """

    def __init__(
        self, emphasis: str = "default", presolve: bool = True, settings: dict[str, Any] | None = None
    ) -> None:
        if emphasis not in EMPHASES:
            raise ConfigError(f"scip: emphasis is {emphasis!r}; choose one of {', '.join(EMPHASES)}")
        self.emphasis = emphasis
        self.presolve = presolve
        self.settings = dict(settings or {})

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
        incumbent = Incumbent(problem, budget, initial, cutoff, on_incumbent, checkpoint)
        seed = int(rng.integers(2**31 - 1))
        return solve_native(incumbent, partial(ScipModel, self, incumbent, seed), partial(self.solve, rng=rng))


class ScipModel:
    """One SCIP model of one solve; objective without its offset, as a minimisation.

    Parameters
    ----------
    solver
        Its settings.
    incumbent
        Collects what is found.
    seed
        Of SCIP.
    fill
        Puts a problem, which may be nonlinear, into an empty model and returns the variables of a solution; None for an ILP.
    """

    def __init__(
        self,
        solver: Scip,
        incumbent: Incumbent,
        seed: int,
        fill: Callable[[Any, Any], list[Any]] | None = None,
    ) -> None:
        self._scip = require("pyscipopt", "solvers")
        self._incumbent = incumbent
        self._problem = incumbent.problem.to_min()
        self._lock = threading.Lock()
        self._freed = False
        self.model = self._scip.Model()
        self.model.hideOutput()
        self._configure(solver, seed)
        self._infeasible = fill is None and _empty_row_fails(self._problem)
        if self._infeasible:
            return
        self.variables = (fill or load)(self.model, self._problem)
        if incumbent.start is not None:
            self._add_start(incumbent.start)
        if incumbent.cutoff is not None:
            self.model.setObjlimit(incumbent.native_cutoff)

    def _configure(self, solver: Scip, seed: int) -> None:
        setting = self._scip.SCIP_PARAMSETTING
        if solver.emphasis == "aggressive":
            self.model.setHeuristics(setting.AGGRESSIVE)
        if not solver.presolve:
            self.model.setPresolve(setting.OFF)
        nodes = self._incumbent.evaluations_left
        parameters = {
            "misc/catchctrlc": False,
            "timing/clocktype": 2,
            "randomization/randomseedshift": seed,
            "limits/totalnodes": -1 if nodes is None else nodes,
            **solver.settings,
        }
        for name, value in parameters.items():
            try:
                self.model.setParam(name, value)
            except (KeyError, ValueError, TypeError, LookupError, OSError) as error:
                raise ConfigError(f"SCIP refuses the parameter {name} = {value!r}: {error}") from error

    def _add_start(self, start: np.ndarray) -> None:
        known = np.flatnonzero(~np.isnan(start))
        complete = len(known) == len(start)
        solution = self.model.createSol() if complete else self.model.createPartialSol()
        for j in known.tolist():
            self.model.setSolVal(solution, self.variables[j], float(start[j]))
        self.model.addSol(solution)

    def run(self, report: Callable[[Candidate], None]) -> Outcome:
        if self._infeasible:
            return Outcome(Status.INFEASIBLE)
        failures: list[Exception] = []

        def on_best_solution(model: Any, event: Any) -> None:
            try:  # an exception would be printed and lost inside SCIP
                report(self._candidate(model.getBestSol()))
            except Exception as error:
                failures.append(error)
                model.interruptSolve()

        self.model.attachEventHandlerCallback(on_best_solution, [self._scip.SCIP_EVENTTYPE.BESTSOLFOUND])
        remaining = self._incumbent.meter.remaining_seconds
        own = self.model.getParam("limits/time")
        self.model.setParam("limits/time", min(own, remaining, _INFINITY))
        try:
            self.model.optimizeNogil()
            if failures:
                raise failures[0]
            return self._outcome(report)
        finally:
            with self._lock:
                self._freed = True
                self.model.free()

    def _outcome(self, report: Callable[[Candidate], None]) -> Outcome:
        status = self.model.getStatus()
        if self.model.getNSols() > 0:
            report(self._candidate(self.model.getBestSol()))
        bound = self._bound(self.model.getDualbound())
        nodes = int(self.model.getNTotalNodes())
        if status == _AMBIGUOUS:
            return Outcome(Status.NO_SOLUTION, bound, nodes, ambiguous=True)
        return Outcome(meaning(status), bound, nodes)

    def _candidate(self, solution: Any) -> Candidate:
        value = self.model.getSolVal
        x = np.fromiter((value(solution, v) for v in self.variables), np.float64, len(self.variables))
        nodes = int(self.model.getNTotalNodes())
        return Candidate(x, self._incumbent.meter.seconds, nodes, self._bound(self.model.getDualbound()))

    def _bound(self, dual: float) -> float:
        if abs(dual) >= _INFINITY:
            return math.nan
        minimal = dual + self._problem.offset
        return -minimal if self._incumbent.problem.maximize else minimal

    def stop(self) -> None:
        with self._lock:
            if not self._freed:
                with contextlib.suppress(Exception):  # refused in the moments of setting up and tearing down
                    self.model.interruptSolve()


def meaning(status: str) -> Status:
    """Our word for a status of SCIP; a limit is ``no_solution``, whatever was found before it.

    Raises
    ------
    SolverFailure
        SCIP failed, or the status is none that we know; names it.
    """
    if status in _LIMITS:
        return Status.NO_SOLUTION
    if status not in _PROOFS:
        raise SolverFailure(f"SCIP stopped with status {status}: {_REASONS.get(status, 'which is unknown here')}")
    return _PROOFS[status]


def load(model: Any, problem: ILP) -> list[Any]:
    """Fill an empty SCIP model with a minimisation (without its offset) and return its variables in column order.

    The model goes through SCIP's LP reader, from memory. Measured for the 65,100 rows of MVC 1000: .21 s (.13 to write,
    .08 to read); MPS .34 s; ``addCons`` of ready-made expressions .64 s; ``quicksum`` 1.7 s.

    Raises
    ------
    InvalidProblem
        SCIP refuses it, and so do we; names the place.
    SolverFailure
        SCIP alone refuses it.
    """
    with _readable(lp_text(problem)) as path:
        try:
            model.readProblem(path, extension="lp")
        except Exception as error:  # SCIP says no more than "read error!"
            problem.validate()
            raise SolverFailure(f"{problem.name}: SCIP does not take the model: {error}") from error
    variables: list[Any] = [None] * problem.n
    for variable in model.getVars():
        variables[int(variable.name[1:])] = variable
    ranged = np.flatnonzero(np.isfinite(problem.row_lo) & np.isfinite(problem.row_hi) & ~_equality(problem))
    if len(ranged):
        rows = {row.name: row for row in model.getConss()}
        for i in ranged.tolist():
            if f"r{i}" in rows:
                model.chgLhs(rows[f"r{i}"], float(problem.row_lo[i]))
    return variables


def lp_text(problem: ILP) -> str:
    """The problem in CPLEX LP format, 17 significant digits; of ranged rows only the upper side, empty rows left out."""
    matrix = problem.A
    terms = [f"{a:+.17g} x{j}" for a, j in zip(matrix.data.tolist(), matrix.indices.tolist(), strict=True)]
    # one term a line: the reader refuses long lines
    lines = ["Minimize", "obj:", *(f"{a:+.17g} x{j}" for j, a in enumerate(problem.c.tolist())), "Subject to"]
    starts = matrix.indptr.tolist()
    equal = _equality(problem).tolist()
    for i, (lo, hi) in enumerate(zip(problem.row_lo.tolist(), problem.row_hi.tolist(), strict=True)):
        begin, end = starts[i], starts[i + 1]
        if begin < end and (lo > -_INFINITY or hi < _INFINITY):
            sense, side = ("=", hi) if equal[i] else ("<=", hi) if hi < _INFINITY else (">=", lo)
            lines.append(f"r{i}: " + "\n".join(terms[begin:end]) + f"\n{sense} {side:.17g}")
    lines.append("Bounds")
    for j, (lb, ub) in enumerate(zip(problem.lb.tolist(), problem.ub.tolist(), strict=True)):
        lines.append(f"{_side(lb)} <= x{j} <= {_side(ub)}")
    lines += ["Binary", *(f"x{j}" for j in np.flatnonzero(problem.binary).tolist())]
    lines += ["General", *(f"x{j}" for j in np.flatnonzero(problem.integer & ~problem.binary).tolist()), "End", ""]
    return "\n".join(lines)


def _equality(problem: ILP) -> np.ndarray:
    return problem.row_lo == problem.row_hi


def _side(value: float) -> str:
    return f"{value:.17g}" if abs(value) < _INFINITY else "-inf" if value < 0 else "+inf"


def _empty_row_fails(problem: ILP, tol: float = 1e-6) -> bool:
    empty = np.diff(problem.A.indptr) == 0
    return bool(((problem.row_lo > tol) | (problem.row_hi < -tol))[empty].any())


@contextlib.contextmanager
def _readable(text: str) -> Iterator[str]:
    """A path under which SCIP can read ``text``; no disk is touched where the system has memory files."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("ilp"), "w") as file:
            file.write(text)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".lp") as file:
            file.write(text)
            file.flush()
            yield file.name
