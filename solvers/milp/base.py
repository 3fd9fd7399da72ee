"""The one interface of the MILP back ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from data.ilp.problem import ILP
from runs.checkpoint import Checkpoint
from solvers.base import Budget, Solution

OnIncumbent = Callable[[float, np.ndarray, float], None]
"""Called with (seconds since the solve began, assignment (n,), objective in the problem's sense)."""


class MilpSolver(Protocol):
    """A branch-and-bound (or CP) solver behind one call.

    ``budget.evaluations`` limits branch-and-bound nodes. ``cutoff``, in the problem's own sense, admits only solutions at
    least that good; when none exists the status is ``infeasible``. Infeasible and unbounded are statuses, not errors.
    ``scorer`` and ``checkpoint`` are accepted, so that a back end is also a :class:`solvers.base.Solver`, and unused.
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
