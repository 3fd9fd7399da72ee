"""Searches on costs, with the prior they may start from (docs/papers/surco.md#3.4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.kept_files import tell
from solvers.base import Solver
from tasks.search import Measure, Search, objective
from tasks.surrogate.saving import SAVED, TRAINING, break_even, saving


class Learned(Protocol):
    """What predicts costs, trained once for all runs that need the same; ``queries`` of f is what the training took."""

    queries: int

    def prepare(self, folder: Path) -> Any:
        """The network for the run in ``folder``: trained here, or taken over."""


class SurrogateSearch(Search):
    """Searches in any domain; ``training_queries`` are those of f that the prior took, once for all instances.

    Parameters
    ----------
    solver, budget, seed, measure, checkpoint_seconds
        See :class:`tasks.search.Search`; an evaluation is a query of f.
    model
        What predicts costs; None for a search that learns nothing.
    without
        The same search without a prior. Both go on until they have what it reaches in the end, and the run says from how
        many instances on the training has paid; see :func:`tasks.surrogate.saving.saving`.
    goal
        The metric that has the queries until what is asked of a solution is met, NaN where it never is; the searches are
        compared by it, if there is one.
    """

    def __init__(
        self,
        solver: Solver,
        budget: dict[str, Any],
        seed: int,
        measure: Measure = objective,
        checkpoint_seconds: float = 1.0,
        model: Learned | None = None,
        without: Solver | None = None,
        goal: str | None = None,
    ) -> None:
        super().__init__(solver, budget, seed, measure, checkpoint_seconds)
        self.learned, self.without, self.goal = model, without, goal

    def on_test_start(self) -> None:
        """Train the prior, or take it over."""
        if self.learned is not None:
            self.model = self.learned.prepare(self.folder)

    def searched(self) -> dict[str, float]:
        """Queries of f that the training of the prior took."""
        return {} if self.learned is None else {TRAINING: float(self.learned.queries)}

    def result(self, index: int, name: str, problem: Any) -> InstanceResult:
        """Search one instance, with and without the prior where that is compared."""
        own = super().result(index, name, problem)
        if self.without is None:
            return own
        plain = self.search(self.without, index, name, problem, "without")
        self.state_path(name, "without").unlink(missing_ok=True)
        if own.trace is None or plain.trace is None:
            return own
        reached = None if self.goal is None else (own.metrics[self.goal], plain.metrics[self.goal])
        return replace(own, metrics=own.metrics | saving(own.trace, plain.trace, self.budget.evaluations, reached))

    def on_test_epoch_end(self) -> None:
        """The means, and when the training has paid."""
        super().on_test_epoch_end()
        found = [each.metrics for each in instances.load_all(self.folder) if SAVED in each.metrics]
        if found and self.trainer.is_global_zero:
            tell(self.folder, [break_even([metrics[SAVED] for metrics in found], found[0].get(TRAINING, 0.0))])
