"""What a search on costs has found: vertices are checked and priced, the best is kept (docs/papers/surco.md#3.3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from runs import interrupt
from runs.anytime import Trace
from runs.errors import InvalidProblem, SolverFailure
from runs.record.checkpoint import State, prefixed, under
from solvers.base import Budget, Meter, Solution, Status
from solvers.differentiable.relaxed import Judged, Mixed, Priced, Queried, Relaxed, Valued

FRACTION = 1e-6
"""How far from an integer a choice may be."""


class NotFinite(SolverFailure):
    """f, or its gradient, is no number at ``x`` (variables,)."""

    def __init__(self, message: str, x: Float[np.ndarray, " variables"]) -> None:
        super().__init__(message)
        self.x = x

    def __reduce__(self) -> tuple[type, tuple[str, np.ndarray]]:
        return type(self), (str(self), self.x)


class BestVertex:
    """The best vertex so far by f, with the trace of the problem's objective.

    Attributes
    ----------
    x, value, costs
        The best, f of it, and costs of which it is the oracle's answer; None and infinite before there is one.
    solved
        Whether f has reached ``target``, or the problem says that nothing is left to do.
    meter
        Of the budget: an evaluation is a query of f.

    Parameters
    ----------
    problem, relaxed
        The problem, and its view with a cost.
    oracle
        Names who answers, in messages.
    """

    def __init__(
        self, problem: Any, relaxed: Relaxed, budget: Budget, target: float | None = None, oracle: str = "the oracle"
    ) -> None:
        self.problem, self.relaxed, self.budget, self.target, self.oracle = problem, relaxed, budget, target, oracle
        self.meter: Meter = budget.start()
        self.x: Float[np.ndarray, " variables"] | None = None
        self.costs: Float[np.ndarray, " variables"] | None = None
        self.value = np.inf
        self.solved = False
        self.trace = Trace(maximize=bool(getattr(problem, "maximize", False)))
        self._checked = b""

    def query(self, x: Float[np.ndarray, "batch variables"], costs: Float[np.ndarray, "batch variables"]) -> Queried:
        """f and its gradient at the vertices that costs lead to; the best is kept.

        Raises
        ------
        InvalidProblem
            The cost has no gradient.
        SolverFailure
            A vertex is fractional or not feasible, or f or its gradient is not finite.
        """
        self._check(x)
        found = self.relaxed.query(x)
        if found.gradients is None:
            raise InvalidProblem(
                f"{self.relaxed.name}: its cost has no gradient; return df/dx, or search without one (random costs, CEM, "
                "CMA-ES)"
            )
        found = Queried(np.asarray(found.values, np.float64), np.asarray(found.gradients, np.float64))
        if found.gradients.shape != x.shape:
            raise InvalidProblem(
                f"{self.relaxed.name}: the gradient of its cost has shape {found.gradients.shape}; expected {x.shape}"
            )
        self._keep(x, found.values, costs)
        finite = np.isfinite(found.gradients).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            variable = int(np.argmin(np.isfinite(found.gradients[row])))
            bad = found.gradients[row, variable]
            raise NotFinite(f"{self.relaxed.name}: df/dx of variable {variable} is {bad} at a vertex", x[row])
        return found

    def values(
        self, x: Float[np.ndarray, "batch variables"], costs: Float[np.ndarray, "batch variables"] | None = None
    ) -> Float[np.ndarray, " batch"]:
        """f alone; the best is kept, with the costs that lead to it where it was found by some.

        Raises
        ------
        SolverFailure
            As :meth:`query`.
        """
        self._check(x)
        priced = self.relaxed.values(x) if isinstance(self.relaxed, Valued) else self.relaxed.query(x).values
        values = np.asarray(priced, np.float64)
        self._keep(x, values, costs)
        return values

    def _check(self, x: Float[np.ndarray, "batch variables"]) -> None:
        for row in x:
            if (known := row.tobytes()) != self._checked:
                self._refuse_infeasible(row)
                self._checked = known

    def _refuse_infeasible(self, x: Float[np.ndarray, " variables"]) -> None:
        off = np.abs(x - np.rint(x))
        if isinstance(self.relaxed, Mixed):
            off = np.where(self.relaxed.integer, off, 0.0)
        if off.max(initial=0.0) > FRACTION:
            variable = int(np.argmax(off))
            raise SolverFailure(
                f"{self.relaxed.name}: {self.oracle} answers {x[variable]:.6g} for variable {variable}; it must be whole"
            )
        if not self.problem.is_feasible(self.relaxed.assignment(x)):
            worst = getattr(self.problem, "worst_violation", None)
            reason = f": {worst(self.relaxed.assignment(x))[0]}" if worst else ""
            raise SolverFailure(f"{self.relaxed.name}: what {self.oracle} answers is not feasible{reason}")

    def _keep(
        self,
        x: Float[np.ndarray, "batch variables"],
        values: Float[np.ndarray, " batch"],
        costs: Float[np.ndarray, "batch variables"] | None,
    ) -> None:
        self.meter.evaluations += len(x)
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise NotFinite(f"{self.relaxed.name}: f is {values[row]} at a vertex", x[row])
        best = int(np.argmin(values))
        if values[best] < self.value:
            self.x, self.value = x[best].copy(), float(values[best])
            self.costs = None if costs is None else costs[best].copy()
            reached = self.target is not None and self.value <= self.target
            self.solved = reached or (isinstance(self.relaxed, Judged) and self.relaxed.solved(self.x, self.value))
            self.trace.record(self.meter.seconds, self.meter.evaluations, self._objective())

    def _objective(self) -> float:
        assert self.x is not None
        if isinstance(self.relaxed, Priced):
            return float(self.relaxed.objective_of(self.x, self.value))
        return float(self.problem.objective(self.relaxed.assignment(self.x)))

    def solution(self, log: dict[str, np.ndarray], interrupted: bool | None = None) -> Solution:
        """The best as an answer; the trace ends now."""
        stopped = interrupt.requested() if interrupted is None else interrupted
        if self.x is None:
            status = Status.INTERRUPTED if stopped else Status.NO_SOLUTION
            return Solution(None, np.nan, False, status, self.trace, log)
        objective = self.trace.objective[-1]
        self.trace.record(self.meter.seconds, self.meter.evaluations, objective)
        status = Status.INTERRUPTED if stopped else Status.FEASIBLE
        return Solution(self.relaxed.assignment(self.x), objective, True, status, self.trace, log)

    def memory(self) -> State:
        """All of it."""
        own = {
            "seconds": np.array(self.meter.seconds),
            "evaluations": np.array(self.meter.evaluations),
            "value": np.array(self.value),
            "solved": np.array(self.solved),
        }
        best = {} if self.x is None else {"x": self.x}
        costs = {} if self.costs is None else {"costs": self.costs}
        return own | best | costs | prefixed("trace/", self.trace.to_arrays())

    def restore(self, memory: State) -> None:
        """Inverse of :meth:`memory`."""
        self.meter = self.budget.start(float(memory["seconds"]), int(memory["evaluations"]))
        self.x, self.costs = memory.get("x"), memory.get("costs")
        self.value, self.solved = float(memory["value"]), bool(memory["solved"])
        self.trace = Trace.from_arrays(under("trace/", memory), self.trace.maximize)
