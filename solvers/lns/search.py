"""The running state of one large neighbourhood search, and its round trip through plain arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data.ilp.problem import ILP
from runs import interrupt
from runs.anytime import Trace
from runs.errors import SolverFailure
from runs.record.checkpoint import State, bit_generator_state, prefixed, random_state, under
from solvers.base import BrokenOff, Budget, Meter, Solution, Status
from solvers.lns.improvement import improves
from solvers.lns.repair import Repaired
from solvers.lns.state import SearchState, Selection
from solvers.milp.incumbent import refuse_another

POOL = 10
"""Earlier best assignments kept for crossover, mutation and scorers' windows."""

COLUMNS: dict[str, type | str] = {
    "evaluation": np.int64,  # index of the iteration
    "select_seconds": float,  # destroy: the LP, mostly
    "repair_seconds": float,  # inside the back end
    "overhead_seconds": float,  # the rest of the iteration
    "improvement": float,  # gain of the best assignment, >= 0
    "free": np.int64,  # |X_t|
    "size": np.int64,  # k_t
    "status": "U16",  # of the sub-ILP, see Repaired
    "lp_integral_share": float,  # of the candidates, in the LP that selected; NaN without one
}
"""The per-iteration columns of ``Solution.log``."""


@dataclass
class Search:
    """Incumbent, size, counters, trace and log of a search; values are in minimisation form but for the trace.

    ``incumbent`` is where the search stands, ``best`` the best assignment it has accepted: another one only under rules that
    accept a loss. ``status`` stays None while there is anything left to do.
    """

    original: ILP
    problem: ILP
    candidates: np.ndarray
    meter: Meter
    rng: np.random.Generator
    cap: int
    trace: Trace
    incumbent: np.ndarray | None = None
    objective: float = np.inf
    best: np.ndarray | None = None
    best_objective: float = np.inf
    k: int = 1
    pool: tuple[np.ndarray, ...] = ()
    status: Status | None = None
    last_improvement: float = 0.0
    last_seconds: float = 0.0
    log: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in COLUMNS})

    @classmethod
    def new(cls, original: ILP, budget: Budget, rng: np.random.Generator) -> Search:
        """A search that has nothing yet and whose clock runs."""
        problem = original.to_min()
        candidates = np.flatnonzero(problem.integer & (problem.lb < problem.ub))
        trace = Trace(maximize=original.maximize)
        return cls(original, problem, candidates, budget.start(), rng, max(1, len(candidates)), trace)

    def view(self) -> SearchState:
        """What the destroy heuristic may see."""
        assert self.incumbent is not None
        return SearchState(
            problem=self.problem,
            candidates=self.candidates,
            incumbent=self.incumbent,
            objective=self.objective,
            pool=self.pool,
            iteration=self.meter.evaluations,
            remaining_seconds=self.meter.remaining_seconds,
            at_cap=self.k >= self.cap,
            last_improvement=self.last_improvement,
            last_seconds=self.last_seconds,
        )

    def move(self, assignment: np.ndarray, objective: float) -> None:
        """Go to ``assignment`` (n,). It is the best too if not worse; an improvement sends the old best to the pool."""
        assignment = np.array(assignment, np.float64)
        assignment.setflags(write=False)
        self.incumbent, self.objective = assignment, objective
        if objective > self.best_objective:
            return
        if self.best is not None and improves(objective, self.best_objective):
            self.pool = (self.best, *self.pool)[:POOL]
        self.best, self.best_objective = assignment, objective

    def record(self, selection: Selection, repaired: Repaired, gain: float, began: float, selected: float) -> None:
        """Close the iteration: one row of the log, and one of the trace if the best is better.

        ``began`` and ``selected`` are its start and the end of destroy on the meter's clock.
        """
        now = self.meter.seconds
        self.last_improvement, self.last_seconds = gain, now - began
        row = (
            self.meter.evaluations,
            selected - began,
            repaired.seconds,
            max(0.0, now - selected - repaired.seconds),
            gain,
            int(selection.free.sum()),
            self.k,
            str(repaired.status),
            selection.lp_integral_share,
        )
        for name, value in zip(COLUMNS, row, strict=True):
            self.log[name].append(value)
        self.meter.evaluations += 1
        sign = -1.0 if self.original.maximize else 1.0
        if sign * self.best_objective != self.trace.objective[-1]:
            self.mark()

    def mark(self, bound: float = np.nan) -> None:
        """Add the best value, now, to the trace."""
        if self.best is not None:
            value = self.original.objective(self.best)
            self.trace.record(self.meter.seconds, self.meter.evaluations, value, bound)

    def solution(self) -> Solution:
        """The answer in the problem's own sense; the trace ends now."""
        status = self.status or (Status.NO_SOLUTION if self.best is None else Status.FEASIBLE)
        log = {name: np.asarray(self.log[name], dtype) for name, dtype in COLUMNS.items()}
        if self.best is None:
            self.trace.record(self.meter.seconds, self.meter.evaluations, np.nan)
            return Solution(None, np.nan, False, status, self.trace, log)
        value = self.original.objective(self.best)
        self.mark(value if status is Status.OPTIMAL else np.nan)
        return Solution(self.best, value, self.original.is_feasible(self.best), status, self.trace, log)

    def broken_off(self, failure: SolverFailure) -> Solution:
        """The answer where a back end broke down because a signal came; else the failure, with the best so far.

        Raises
        ------
        BrokenOff, SolverFailure
            With and without a solution.
        """
        if interrupt.requested():
            self.status = Status.INTERRUPTED
            return self.solution()
        if self.best is None:
            raise failure
        cause = failure.cause if isinstance(failure, BrokenOff) else str(failure)
        raise BrokenOff(cause, self.solution()) from failure

    def to_arrays(self, rng_state: Any, memory: State) -> State:
        """The search between two iterations, with the random state and what its parts remember of that moment."""
        assert self.incumbent is not None and self.best is not None
        arrays: State = {
            "fingerprint": np.array(self.original.fingerprint),
            "incumbent": self.incumbent,
            "best": self.best,
            "pool": np.array(self.pool).reshape(len(self.pool), self.problem.n),
            "k": np.array(self.k),
            "evaluations": np.array(self.meter.evaluations),
            "seconds": np.array(self.meter.seconds),
            "last": np.array([self.last_improvement, self.last_seconds]),
            "rng": random_state(rng_state),
        }
        arrays |= prefixed("trace/", self.trace.to_arrays())
        arrays |= prefixed("log/", {name: np.asarray(self.log[name], dtype) for name, dtype in COLUMNS.items()})
        return arrays | prefixed("memory/", memory)

    def resume(self, arrays: State) -> State:
        """Become the search that :meth:`to_arrays` saved; returns what its parts remember.

        Raises
        ------
        InvalidProblem
            The state belongs to another problem.
        """
        refuse_another(self.original, arrays)
        budget = self.meter.budget
        self.meter = budget.start(float(arrays["seconds"]), int(arrays["evaluations"]))
        self.rng.bit_generator.state = bit_generator_state(arrays["rng"])
        self.pool = tuple(arrays["pool"])
        self.k = int(arrays["k"])
        self.last_improvement, self.last_seconds = (float(value) for value in arrays["last"])
        self.trace = Trace.from_arrays(under("trace/", arrays), self.original.maximize)
        self.log = {name: column.tolist() for name, column in under("log/", arrays).items()}
        self.best, self.best_objective = None, np.inf
        for assignment in (arrays["best"], arrays["incumbent"]):
            self.move(assignment, self.problem.objective(assignment))
        return under("memory/", arrays)
