"""What every solver of every domain takes and returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np

from runs import clock, interrupt
from runs.anytime import Trace
from runs.errors import ConfigError, SolverFailure
from runs.record.checkpoint import Checkpoint


class Status(StrEnum):
    """Why a solver stopped."""

    OPTIMAL = "optimal"  # solution proved optimal
    FEASIBLE = "feasible"  # budget spent, a solution is there
    NO_SOLUTION = "no_solution"  # budget spent, none found
    INFEASIBLE = "infeasible"  # proved: no solution (or none better than the cut-off)
    UNBOUNDED = "unbounded"  # proved
    INTERRUPTED = "interrupted"  # SIGINT or SIGTERM; best so far returned


@dataclass(frozen=True)
class Budget:
    """How much a search may spend: wall-clock seconds, evaluations (what one is, the solver says), or both.

    A solver never overruns ``seconds`` by more than 5 % + 0.5 s.
    """

    seconds: float | None = None
    evaluations: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.evaluations is None:
            raise ConfigError("budget: set budget.seconds, budget.evaluations or both (both are null)")
        for name in ("seconds", "evaluations"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ConfigError(f"budget.{name} is {value}; it must be a number >= 0, or null for no limit")

    def start(self, seconds: float = 0.0, evaluations: int = 0) -> Meter:
        """Start the clock; a resumed search passes what it had spent before."""
        return Meter(self, seconds, evaluations)


class Meter:
    """A running budget on the clock of :mod:`runs.clock`: what this process slept while it was stopped does not count."""

    def __init__(self, budget: Budget, seconds: float = 0.0, evaluations: int = 0) -> None:
        self.budget = budget
        self.evaluations = evaluations
        clock.watch()
        self._began = clock.seconds() - seconds

    @property
    def seconds(self) -> float:
        """Wall-clock seconds spent, those before a resumed search was stopped included."""
        return clock.seconds() - self._began

    def skip(self, seconds: float) -> None:
        """Leave ``seconds`` out of what was spent: whoever searches for us was stopped."""
        self._began += seconds

    def catch_up(self, seconds: float) -> None:
        """Have spent at least ``seconds``: whoever searches for us went on while we were stopped."""
        self._began -= max(0.0, seconds - self.seconds)

    @property
    def remaining_seconds(self) -> float:
        """Seconds left (infinite without a limit), never negative."""
        return math.inf if self.budget.seconds is None else max(0.0, self.budget.seconds - self.seconds)

    @property
    def remaining_evaluations(self) -> float:
        """Evaluations left (infinite without a limit), never negative."""
        limit = self.budget.evaluations
        return math.inf if limit is None else max(0, limit - self.evaluations)

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, in [0, 1]: of the seconds or of the evaluations, whichever is the larger."""
        limits = ((self.seconds, self.budget.seconds), (self.evaluations, self.budget.evaluations))
        return min(1.0, max(spent / limit if limit else 1.0 for spent, limit in limits if limit is not None))

    @property
    def exhausted(self) -> bool:
        """True when either limit is reached or the user asked to stop."""
        return self.remaining_seconds <= 0 or self.remaining_evaluations <= 0 or interrupt.requested()


@dataclass(frozen=True)
class Solution:
    """The answer of a solver, in the problem's own sense.

    ``objective`` and ``feasible`` are computed by the problem from ``assignment``, never taken from a solver's word;
    without an assignment ``objective`` is NaN and ``feasible`` False. ``log`` holds per-iteration columns of equal length.
    """

    assignment: np.ndarray | None
    objective: float
    feasible: bool
    status: Status
    trace: Trace
    log: dict[str, np.ndarray] = field(default_factory=dict)


class BrokenOff(SolverFailure):
    """A solver broke down, for ``cause``, after it had found something.

    ``solution`` is its best so far, checked by the problem, with the trace until then.
    """

    def __init__(self, cause: str, solution: Solution) -> None:
        super().__init__(f"{cause}; its best so far, {solution.objective:.12g}, is kept")
        self.cause = cause
        self.solution = solution

    def __reduce__(self) -> tuple[type, tuple[str, Solution]]:
        return type(self), (self.cause, self.solution)


class Solver(Protocol):
    """``solve`` returns its best so far within the budget, and stops cleanly on SIGINT and SIGTERM."""

    def solve(
        self,
        problem: Any,
        *,
        budget: Budget,
        scorer: Any = None,
        initial: np.ndarray | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution: ...
