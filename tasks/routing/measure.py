"""What is measured of a path (docs/papers/surco.md#9)."""

from __future__ import annotations

import numpy as np

from data.routing.problem import RoutingProblem
from solvers.base import Solution
from tasks.surrogate.measure import through_oracle


def measure(problem: RoutingProblem, solution: Solution) -> dict[str, float]:
    """Probability to arrive in time, score, mean and deviation of the time, and edges; what the search tells besides."""
    if not solution.feasible or solution.assignment is None:
        return {"probability": np.nan}
    row = np.asarray(solution.assignment, float)[None]
    mean, variance = problem.moments(row)
    return {
        "probability": solution.objective,
        "score": float(problem.scores(row)[0]),
        "mean_time": float(mean[0]),
        "deviation": float(np.sqrt(variance[0])),
        "edges": float(row.sum()),
    } | through_oracle(solution)
