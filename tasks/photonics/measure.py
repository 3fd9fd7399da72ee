"""What is measured of a design (docs/papers/surco.md#9)."""

from __future__ import annotations

import numpy as np

from data.photonics.problem import PhotonicProblem
from solvers.base import Solution
from tasks.surrogate.measure import through_oracle


def measure(problem: PhotonicProblem, solution: Solution) -> dict[str, float]:
    """The loss, by how much windows are missed in all, whether all are met, and what the search tells besides.

    All of it is solved on the whole grid. ``steps_to_solve`` is NaN where nothing is solved.
    """
    if not solution.feasible or solution.assignment is None:
        return {"loss": np.nan, "design_loss": np.nan, "solved": 0.0}
    missed = problem.violations(problem.directly(np.asarray(solution.assignment, float)))
    solved = bool((missed <= 0).all())
    trace = solution.trace
    return {
        "loss": solution.objective,
        "design_loss": float(np.maximum(missed, 0).sum()),
        "solved": float(solved),
        "steps_to_solve": float(trace.evaluations[-1]) if solved and len(trace) else np.nan,
    } | through_oracle(solution)
