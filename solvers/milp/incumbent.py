"""What every back end owes its caller: the best checked solution so far, its trace, and the final answer."""

from __future__ import annotations

import math
import threading

import numpy as np

from data.ilp.problem import ILP, INFINITE, INTEGRALITY
from runs import interrupt
from runs.anytime import Trace
from runs.errors import InvalidProblem, SolverFailure
from runs.record.checkpoint import Checkpoint, State, prefixed, under
from solvers.base import BrokenOff, Budget, Solution, Status
from solvers.milp.base import OnIncumbent
from solvers.milp.lp import PersistentLP

CUTOFF_TOLERANCE = 1e-8
"""A solution this much worse than the cut-off is still at least that good (as in the paper's ``incumbent + 1e-8``)."""


class Incumbent:
    """Best solution of one solve; nothing enters that the problem has not checked.

    Parameters
    ----------
    problem, budget
        As given to the back end; the clock starts here.
    initial
        (n,) start. NaN entries make it a partial start, which is only a hint. A complete one is checked, and becomes the
        first row of the trace unless it is worse than the cut-off.
    cutoff
        In the problem's own sense.
    on_incumbent
        Told about every improvement.
    checkpoint
        Holds what an earlier call left, which then takes the place of ``initial``; see :meth:`keep`.

    Raises
    ------
    InvalidProblem
        The complete start is infeasible (names the worst violation), or has the wrong shape; the checkpoint is another
        problem's.
    """

    def __init__(
        self,
        problem: ILP,
        budget: Budget,
        initial: np.ndarray | None = None,
        cutoff: float | None = None,
        on_incumbent: OnIncumbent | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.meter = budget.start()
        self.problem = problem
        self.cutoff = cutoff
        self.trace = Trace(maximize=problem.maximize)
        self.x: np.ndarray | None = None
        self.objective = math.nan
        self.start: np.ndarray | None = None
        self._on_incumbent = on_incumbent
        self._sense = -1.0 if problem.maximize else 1.0
        self._unrepaired: np.ndarray | None = None
        self._spent = 0  # evaluations of earlier runs of the back end
        self._checkpoint = checkpoint
        self._thread = threading.get_ident()
        saved = checkpoint.load() if checkpoint else None
        if saved:
            self._resume(saved)
        if self.x is None and initial is not None:
            self._accept_start(np.array(initial, np.float64))

    def _accept_start(self, start: np.ndarray) -> None:
        if start.shape != (self.problem.n,):
            raise InvalidProblem(
                f"{self.problem.name}: the initial solution has shape {start.shape}; expected ({self.problem.n},)"
            )
        self.start = start
        if np.isnan(start).any():
            return
        if not self.problem.is_feasible(start):
            violation, amount = self.problem.worst_violation(start)
            raise InvalidProblem(
                f"{self.problem.name}: the initial solution is infeasible: {violation} (off by {amount:.6g}). "
                "Pass a feasible one, or None"
            )
        self.offer(start)

    def _resume(self, saved: State) -> None:
        refuse_another(self.problem, saved)
        self.trace = Trace.from_arrays(under("trace/", saved), self.problem.maximize)
        self.meter = self.meter.budget.start(float(saved["seconds"]), int(saved["evaluations"]))
        if "x" in saved:
            self.x = saved["x"]
            self.objective = self.problem.objective(self.x)
        self.restart()

    def restart(self, evaluations: int = 0) -> None:
        """Get ready for another run of the back end, after one of ``evaluations``: it starts from the best so far."""
        self.meter.evaluations = max(self.meter.evaluations, self._spent + evaluations)
        self.start = self.start if self.x is None else self.x
        self._spent = self.meter.evaluations

    def keep(self, now: bool = False) -> None:
        """Save best, trace and what was spent if that is due, or ``now``; only the thread that made us does so."""
        if self._checkpoint is None or threading.get_ident() != self._thread:
            return
        if now or self._checkpoint.due():
            state: State = {
                "fingerprint": np.array(self.problem.fingerprint),
                "seconds": np.array(self.meter.seconds),
                "evaluations": np.array(self.meter.evaluations),
            }
            best = {} if self.x is None else {"x": self.x}
            self._checkpoint.save(state | best | prefixed("trace/", self.trace.to_arrays()))

    @property
    def evaluations_left(self) -> int | None:
        """Limit of the next run of the back end; None without one."""
        limit = self.meter.budget.evaluations
        return None if limit is None else max(0, limit - self._spent)

    @property
    def value(self) -> float:
        """Objective of the best solution as a minimisation; infinite without one."""
        return math.inf if self.x is None else self._sense * self.objective

    @property
    def native_cutoff(self) -> float:
        """Upper limit to set in a solver of ``problem.to_min()`` without its offset; infinite without a cut-off.

        It lies a little above the cut-off, because solvers keep only strictly better solutions and, where they find the
        objective integral, round the limit down by one unit (SCIP does so within 1e-6 of a unit that is at most the smallest
        coefficient). :meth:`admits` refuses what slips through.
        """
        if self.cutoff is None:
            return math.inf
        sizes = np.abs(self.problem.c[self.problem.c != 0])
        slack = 1e-7 * max(1.0, abs(self.cutoff)) + 1e-4 * (sizes.min() if len(sizes) else 0.0)
        return self._sense * (self.cutoff - self.problem.offset) + slack

    def admits(self, objective: float) -> bool:
        """True when ``objective`` is at least as good as the cut-off."""
        tolerance = CUTOFF_TOLERANCE + 1e-12 * abs(self.cutoff or 0.0)  # the second term is rounding of a long sum
        return self.cutoff is None or self._sense * (objective - self.cutoff) <= tolerance

    def offer(self, x: np.ndarray, seconds: float | None = None, evaluations: int = 0, bound: float = math.nan) -> bool:
        """Round the integers of ``x`` (n,), check it, keep it if it is the best; True when it was kept.

        A solution that rounding breaks is remembered and repaired by :meth:`solution`. ``bound`` is in the problem's sense.
        A point at infinity, which a back end may give for an unbounded problem, is none.
        """
        if not (np.abs(x) < INFINITE).all():
            return False
        rounded = self._rounded(x)
        if self.x is not None and np.array_equal(rounded, self.x):
            return False  # back ends report their best once when they find it and once at the end
        if not self.problem.is_feasible(rounded):
            self._unrepaired = rounded
            return False
        objective = self.problem.objective(rounded)
        if not self.admits(objective) or self._sense * objective >= self.value:
            return False
        self.x, self.objective = rounded, objective
        seconds = self.meter.seconds if seconds is None else seconds
        self.meter.evaluations = max(self.meter.evaluations, self._spent + evaluations)
        self.trace.record(seconds, self.meter.evaluations, objective, bound)
        if self._on_incumbent is not None:
            self._on_incumbent(seconds, rounded.copy(), objective)
        return True

    def _rounded(self, x: np.ndarray) -> np.ndarray:
        rounded = np.array(x, np.float64)
        whole = self.problem.integer
        rounded[whole] = np.rint(rounded[whole])
        lb = np.where(whole, np.ceil(self.problem.lb - INTEGRALITY), self.problem.lb)
        ub = np.where(whole, np.floor(self.problem.ub + INTEGRALITY), self.problem.ub)
        return np.clip(rounded, lb, ub) + 0.0  # + 0.0 makes -0.0 plain

    def solution(self, status: Status, bound: float = math.nan, evaluations: int = 0) -> Solution:
        """The answer: last row appended, status made to agree with what could be checked.

        Parameters
        ----------
        status
            What the back end says. ``optimal`` stays only with a solution whose objective meets ``bound``, ``infeasible``
            only without one (a start that nothing admitted beats is optimal).
        bound
            Dual bound in the problem's sense.
        """
        if self._unrepaired is not None and not interrupt.requested():
            repaired = solve_continuous(self.problem, self._unrepaired, max(self.meter.remaining_seconds, 0.3))
            if repaired is not None:
                self.offer(repaired)
        status = self._checked(status, bound)
        if status == Status.OPTIMAL:
            bound = self.objective
        self.meter.evaluations = max(self.meter.evaluations, self._spent + evaluations)
        if status == Status.INTERRUPTED:
            self.keep(now=True)
        self.trace.record(self.meter.seconds, self.meter.evaluations, self.objective, bound)
        return Solution(self.x, self.objective, self.x is not None, status, self.trace)

    def broken_off(self, cause: str) -> Solution:
        """The answer of a back end that broke down because a signal came; else the failure, with the best so far.

        Raises
        ------
        BrokenOff
            Something was found before.
        SolverFailure
            Nothing was.
        """
        if interrupt.requested():
            return self.solution(Status.INTERRUPTED)
        self.keep(now=True)
        if self.x is None:
            raise SolverFailure(cause)
        raise BrokenOff(cause, self.solution(Status.FEASIBLE))

    def _checked(self, status: Status, bound: float) -> Status:
        if self.x is None:
            if status == Status.OPTIMAL:  # the proved optimum is worse than the cut-off, or failed the check
                proved = self.cutoff is not None and not self.admits(bound)
                return Status.INFEASIBLE if proved else Status.NO_SOLUTION
            return Status.NO_SOLUTION if status == Status.FEASIBLE else status
        if status == Status.INFEASIBLE:
            return Status.OPTIMAL
        if status == Status.OPTIMAL and not self.value <= self._sense * bound + 1e-6 * max(1.0, abs(bound)):
            return Status.FEASIBLE
        return Status.FEASIBLE if status == Status.NO_SOLUTION else status


def refuse_another(problem: ILP, saved: State) -> None:
    """Refuse the saved state of a search on another problem.

    Raises
    ------
    InvalidProblem
        It is one.
    """
    if str(saved["fingerprint"]) != problem.fingerprint:
        raise InvalidProblem(
            f"{problem.name}: the checkpoint was written for another problem; remove it to start afresh"
        )


def solve_continuous(problem: ILP, x: np.ndarray, seconds: float) -> np.ndarray | None:
    """Best values of the continuous variables for the integers of ``x`` (n,), by an LP; None where none were found."""
    if problem.integer.all():
        return None
    fixed = np.flatnonzero(problem.integer)
    try:
        lp = PersistentLP(problem.to_min())
        lp.set_bounds(x[fixed], x[fixed], fixed)
        return lp.solve("dual_simplex", seconds=seconds).x
    except SolverFailure:
        return None
