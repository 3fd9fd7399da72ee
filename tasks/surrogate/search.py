"""Searches on costs, with the prior they may start from (docs/papers/surco.md#3.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from solvers.base import Solver
from tasks.search import Measure, Search, objective


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
    """

    def __init__(
        self,
        solver: Solver,
        budget: dict[str, Any],
        seed: int,
        measure: Measure = objective,
        checkpoint_seconds: float = 1.0,
        model: Learned | None = None,
    ) -> None:
        super().__init__(solver, budget, seed, measure, checkpoint_seconds)
        self.learned = model

    def on_test_start(self) -> None:
        """Train the prior, or take it over."""
        if self.learned is not None:
            self.model = self.learned.prepare(self.folder)

    def searched(self) -> dict[str, float]:
        """Queries of f that the training of the prior took."""
        return {} if self.learned is None else {"training_queries": float(self.learned.queries)}
