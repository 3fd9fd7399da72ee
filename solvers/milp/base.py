"""The one interface of the MILP back ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from data.ilp.problem import ILP
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution

OnIncumbent = Callable[[float, np.ndarray, float], None]
"""Called with (seconds since the solve began, assignment (n,), objective in the problem's sense)."""


class MilpSolver(Protocol):
    """A branch-and-bound (or CP) solver behind one call; one thread.

    ``budget.evaluations`` limits branch-and-bound nodes (CP-SAT: conflicts). Infeasible and unbounded are statuses, not
    errors; whatever else a back end may answer is a :class:`SolverFailure` that names it, a :class:`BrokenOff` where
    something was found before. ``scorer`` is accepted, for :class:`solvers.base.Solver`, and unused.

    Parameters of :meth:`solve`
    ---------------------------
    initial
        (n,) feasible start: the first row of the trace, never lost. An infeasible one is an ``InvalidProblem`` that names
        the worst violation. With NaN entries it is a partial start, only a hint.
    cutoff
        In the problem's own sense, admits only solutions at least that good (equal ones too); when none exists the status
        is ``infeasible``. A start worse than the cut-off is only a hint.
    rng
        Draws the back end's seed.
    on_incumbent
        Called in the caller's thread for the start and each improvement; an exception from it ends the solve.
    checkpoint
        Holds the best solution, its trace and what was spent. A later call starts from them with the rest of the budget and
        a tree of its own: what a back end knows besides cannot be kept.

    The assignment has exactly integral integers; its objective and feasibility are computed by the problem. The trace ends
    in one more row with the final time, nodes and dual bound.
    """

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
    ) -> Solution: ...
