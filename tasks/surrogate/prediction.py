"""How close predicted solutions are to the best ones that are known (docs/papers/surco.md#9)."""

from __future__ import annotations

from typing import Any

import numpy as np

from solvers.base import Budget, Solution, Solver


class PredictionAccuracy:
    """Shares of variables and of whole solutions that are as in the labeller's, as a :class:`tasks.search.Measure`.

    Parameters
    ----------
    labeller
        Finds what is compared with.
    evaluations
        Of its search.
    """

    def __init__(self, labeller: Solver, evaluations: int = 100) -> None:
        self.labeller, self.budget = labeller, Budget(evaluations=evaluations)

    def __call__(self, problem: Any, solution: Solution) -> dict[str, float]:
        """``variable_accuracy``, ``exact`` and, of a feasible one, the ``objective``."""
        best = self.labeller.solve(problem, budget=self.budget, rng=np.random.default_rng(0)).assignment
        if solution.assignment is None or best is None:
            return {"objective": solution.objective}
        same = np.asarray(solution.assignment) == best
        return {
            "objective": solution.objective,
            "variable_accuracy": float(same.mean()),
            "exact_solutions": float(same.all()),
        }
