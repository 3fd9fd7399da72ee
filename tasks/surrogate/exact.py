"""Searches on instances whose optimum is known by enumeration: how often it is found (docs/papers/surco.md#7)."""

from __future__ import annotations

from typing import Any

from data.routing.problem import RoutingProblem
from data.routing.simple_paths import best_path
from runs.errors import ConfigError
from runs.record.instances import InstanceResult
from solvers.base import Solution
from tasks.surrogate.measure import through_oracle
from tasks.surrogate.search import SurrogateSearch

TOLERANCE = 1e-9
"""Of the objective, relative or absolute."""


def measure(problem: Any, solution: Solution) -> dict[str, float]:
    """The objective, and what the search tells besides."""
    return {"objective": solution.objective} | through_oracle(solution)


class ExactSearch(SurrogateSearch):
    """``optimal`` is 1 where a search found the optimum."""

    def result(self, index: int, name: str, problem: Any) -> InstanceResult:
        """Search one instance, and compare with the best point of all.

        Raises
        ------
        ConfigError
            The data do not know the optimum.
        """
        found = super().result(index, name, problem)
        best = self._optimum(problem)
        near = abs(found.metrics["objective"] - best) <= TOLERANCE * max(1.0, abs(best))
        found.metrics["optimal"] = float(near)
        return found

    def _optimum(self, problem: Any) -> float:
        if isinstance(problem, RoutingProblem):
            return problem.objective(best_path(problem))
        known: float | None = self.data.problem_optimum(problem.name)
        if known is None:
            raise ConfigError(
                f"{problem.name}: its optimum is not known; choose data of which it is, data=quadratic say"
            )
        return known
