"""Initial solutions: a greedy one without any solver, and the first one that a back end finds."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from data.ilp.problem import ILP
from data.ilp.reduce import reduce
from runs import interrupt
from runs.anytime import Trace
from runs.errors import ConfigError
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Meter, Solution, Solver, Status
from solvers.milp.base import MilpSolver

_MESSAGES = logging.getLogger(__name__)
_NEITHER_ANSWER_NOR_LIMIT = 4  # of scipy's ``OptimizeResult.status``; 1 is a limit, 2 infeasible, 3 unbounded

ROW_TOLERANCE = 1e-9


class Greedy:
    """Start where all integer variables stand at one bound, then move one after the other as far as rows allow.

    All at their lower bounds if that is feasible: variables are raised by decreasing value per row (packing: independent
    sets, auctions, knapsacks). Otherwise all at their upper bounds: variables are lowered by decreasing cost (covering:
    vertex and set covers, facilities). Continuous variables are set by one LP. Deterministic.

    Parameters
    ----------
    otherwise
        Starts a problem of which neither corner is feasible; None: the status is then ``no_solution``.
    """

    def __init__(self, otherwise: Solver | None = None) -> None:
        self.otherwise = otherwise

    def solve(
        self,
        problem: ILP,
        *,
        budget: Budget,
        scorer: object = None,
        initial: np.ndarray | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """A feasible assignment within the budget, or none; ``initial`` and the rest are for ``otherwise`` only."""
        meter = budget.start()
        minimisation = problem.to_min()
        trace = Trace(maximize=problem.maximize)
        for raising in (True, False):
            x = None if meter.exhausted else _corner(minimisation, raising, meter)
            if x is not None:
                x = _moved(minimisation, x, raising, meter)
                objective = problem.objective(x)
                trace.record(meter.seconds, 0, objective)
                return Solution(x, objective, True, Status.FEASIBLE, trace)
        if self.otherwise is None or meter.exhausted:
            return Solution(None, np.nan, False, Status.NO_SOLUTION, trace)
        spent, left = meter.seconds, Budget(seconds=meter.remaining_seconds)
        found = self.otherwise.solve(problem, budget=left, scorer=scorer, initial=initial, rng=rng)
        for seconds, value in zip(found.trace.seconds, found.trace.objective, strict=True):
            trace.record(spent + seconds, 0, value)
        return replace(found, trace=trace)


def _corner(problem: ILP, lowest: bool, meter: Meter) -> np.ndarray | None:
    """Integer variables at their lower (upper) bounds, continuous ones at their best; None if that is not feasible."""
    x = np.where(problem.integer, np.ceil(problem.lb) if lowest else np.floor(problem.ub), 0.0)
    if not np.isfinite(x).all():
        return None
    if not problem.integer.all():
        rest = reduce(problem, problem.integer, x)
        limit = {"time_limit": meter.remaining_seconds} if np.isfinite(meter.remaining_seconds) else {}
        result = milp(
            rest.problem.c,
            constraints=LinearConstraint(rest.problem.A, rest.problem.row_lo, rest.problem.row_hi),
            bounds=Bounds(rest.problem.lb, rest.problem.ub),
            options=limit,
        )
        if result.status == _NEITHER_ANSWER_NOR_LIMIT:
            _MESSAGES.warning("%s: no start at a corner, its LP failed: %s", problem.name, result.message)
        if result.x is None:
            return None
        x = rest.lift(result.x)
    return x if problem.is_feasible(x) else None


def _moved(problem: ILP, x: np.ndarray, raising: bool, meter: Meter) -> np.ndarray:
    """Move each integer variable that pays, most promising first, by the largest step the rows allow."""
    x, sign = x.copy(), 1.0 if raising else -1.0
    columns = problem.A_csc
    rows_of = np.diff(columns.indptr)
    value = -sign * problem.c / (np.maximum(1, rows_of) if raising else 1.0)
    order = np.argsort(-value, kind="stable")
    activity = problem.A @ x
    slack = ROW_TOLERANCE * np.maximum(1.0, np.abs(activity))
    for j in order[(value[order] > 0) & problem.integer[order]]:
        if meter.exhausted:
            break
        entries = slice(columns.indptr[j], columns.indptr[j + 1])
        rows, change = columns.indices[entries], sign * columns.data[entries]
        room = np.where(change > 0, problem.row_hi[rows] - activity[rows], activity[rows] - problem.row_lo[rows])
        steps = (room + slack[rows]) / np.abs(change)
        span = problem.ub[j] - x[j] if raising else x[j] - problem.lb[j]
        step = np.floor(min(span + 1e-6, steps.min(initial=np.inf)))
        if 0 < step < np.inf:
            x[j] += sign * step
            activity[rows] += change * step
    return x


class FirstSolution:
    """Give a back end a few seconds, then twice as many, until it has found a solution (docs/papers/lb_relax.md#3.3).

    Parameters
    ----------
    solver
        The back end; it uses its whole time, so the solution is the best of the first try.
    seconds, share
        Limit of the first try: so many seconds, but no more than this share of the budget's seconds, in (0, 1], so that a
        search follows.
    longest
        Limit of the last try; the tries in between double.
    """

    def __init__(self, solver: MilpSolver, seconds: float = 10.0, longest: float = 900.0, share: float = 0.25) -> None:
        if not 0 < seconds <= longest:
            raise ConfigError(
                f"lns.start.seconds is {seconds} and lns.start.longest {longest}; need 0 < seconds <= longest"
            )
        if not 0 < share <= 1:
            raise ConfigError(f"lns.start.share is {share}; it must lie in (0, 1]")
        self.solver = solver
        self.share = share
        self.seconds = seconds
        self.longest = longest

    def solve(
        self,
        problem: ILP,
        *,
        budget: Budget,
        scorer: object = None,
        initial: Any = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """The back end's solution of the first successful try; its trace counts from the start of the first try."""
        meter = budget.start()
        limit = self.seconds if budget.seconds is None else min(self.seconds, self.share * budget.seconds)
        trace = Trace(maximize=problem.maximize)
        while not meter.exhausted:
            began = meter.seconds
            attempt = Budget(seconds=min(limit, meter.remaining_seconds))
            found = self.solver.solve(problem, budget=attempt, initial=initial, rng=rng)
            if found.assignment is not None or found.status is not Status.NO_SOLUTION:
                for seconds, value in zip(found.trace.seconds, found.trace.objective, strict=True):
                    trace.record(began + seconds, 0, value)
                return Solution(found.assignment, found.objective, found.feasible, found.status, trace)
            if limit >= self.longest:
                return Solution(None, np.nan, False, Status.NO_SOLUTION, trace)
            limit = min(2 * limit, self.longest)
        status = Status.INTERRUPTED if interrupt.requested() else Status.NO_SOLUTION
        return Solution(None, np.nan, False, status, trace)
