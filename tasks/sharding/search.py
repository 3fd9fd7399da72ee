"""Sharding searches, each with the costs it has learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from solvers.base import Solver
from solvers.sharding.placement import PlacementPolicy
from tasks.search import Measure, Search
from tasks.sharding.measure import measure


class Learned(Protocol):
    """What a solver learns before it searches, trained once for all runs that need the same."""

    def prepare(self, folder: Path, devices: int) -> Any:
        """The scorer of the searches of the run in ``folder``, for tasks of so many devices: trained here, or taken over."""


class ShardingSearch(Search):
    """Searches plans of sharding tasks (docs/papers/neuroshard.md#3).

    Parameters
    ----------
    solver, budget, seed, checkpoint_seconds
        See :class:`tasks.search.Search`; an evaluation is one shard priced.
    measure
        See :class:`tasks.search.Measure`.
    model
        What the solver searches on; None for one that learns nothing.
    """

    def __init__(
        self,
        solver: Solver,
        budget: dict[str, Any],
        seed: int,
        measure: Measure = measure,
        checkpoint_seconds: float = 1.0,
        model: Learned | None = None,
    ) -> None:
        super().__init__(solver, budget, seed, measure, checkpoint_seconds)
        self.learned = model

    def on_test_start(self) -> None:
        """Train what the solver searches on, or take it over."""
        if self.learned is not None:
            self.model = self.learned.prepare(self.folder, self.data.devices)

    def searched(self) -> dict[str, float]:
        """How many plans were measured to train a policy."""
        return {"measured_plans": float(self.model.measured_plans)} if isinstance(self.model, PlacementPolicy) else {}
