"""How close predicted solutions are to the best ones that are known (docs/papers/surco.md#9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from solvers.base import Budget, Solution, Solver
from solvers.differentiable.relaxed import Relaxed, relaxation, vertex
from tasks.search import Measure, objective


class PredictionAccuracy:
    """Shares of variables and of whole solutions that are as in the labeller's, as a :class:`tasks.search.Measure`.

    Parameters
    ----------
    labeller
        Finds what is compared with.
    evaluations
        Of its search.
    relax
        From the problem to its :class:`~solvers.differentiable.relaxed.Relaxed`, where it is none itself.
    measure
        What is measured besides.
    """

    def __init__(
        self,
        labeller: Solver,
        evaluations: int = 100,
        relax: Callable[[Any], Relaxed] | None = None,
        measure: Measure = objective,
    ) -> None:
        self.labeller, self.budget = labeller, Budget(evaluations=evaluations)
        self.relax, self.measure = relax, measure

    def __call__(self, problem: Any, solution: Solution) -> dict[str, float]:
        """``variable_accuracy``, ``exact_solutions``, and what else is measured."""
        found = self.measure(problem, solution)
        best = self.labeller.solve(problem, budget=self.budget, rng=np.random.default_rng(0)).assignment
        if solution.assignment is None or best is None:
            return found
        relaxed = relaxation(problem, self.relax)
        same = vertex(relaxed, solution.assignment) == vertex(relaxed, best)
        return found | {"variable_accuracy": float(same.mean()), "exact_solutions": float(same.all())}
