"""A path as a CSV file, a line a node."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int

from data.routing.problem import RoutingProblem


def to_csv(problem: RoutingProblem, assignment: Int[np.ndarray, " edges"]) -> str:
    """Nodes in order; mean and deviation of the time until each, and the probability to be there by the deadline."""
    walk = problem.walk(assignment)
    until = np.array([problem.path(walk[: count + 1]) for count in range(1, len(walk))])
    mean, variance = problem.moments(until)
    table = pd.DataFrame(
        {
            "node": [problem.label(node) for node in walk],
            "mean": np.append(0.0, mean),
            "deviation": np.append(0.0, np.sqrt(variance)),
            "in_time": np.append(1.0, [problem.objective(row) for row in until]),
        }
    )
    return table.to_csv(index=False, lineterminator="\n", float_format="%.9g")
