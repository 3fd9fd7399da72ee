"""What is measured of a sharding plan (docs/papers/neuroshard.md#8)."""

from __future__ import annotations

import numpy as np

from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from solvers.base import Solution


def measure(problem: ShardingProblem, solution: Solution) -> dict[str, float]:
    """Cost of a feasible plan by the problem's oracle, its parts on the device that is ready last, and how even devices are.

    ``cost``, ``compute``, ``backward`` and ``forward`` are ms; the imbalance of computation, dimensions and memory is the
    largest device over the mean. A search on predicted costs also has the ``predicted`` cost of its plan.
    """
    if not solution.feasible or solution.assignment is None:
        return {"cost": np.nan}
    plan = Plan.of_array(solution.assignment)
    pieces = problem.pieces(plan)
    costs = problem.costs(plan)
    last = int(np.argmax(costs.compute[0] + costs.backward[0]))
    dim_sums = np.bincount(pieces.shard, weights=pieces.dim, minlength=problem.devices)
    metrics = {
        "cost": solution.objective,
        "compute": float(costs.compute[0, last]),
        "backward": float(costs.backward[0, last]),
        "forward": float(costs.forward[0, last]),
        "compute_imbalance": _imbalance(costs.compute[0]),
        "dim_imbalance": _imbalance(dim_sums),
        "memory_imbalance": _imbalance(problem.memory_used(pieces)),
        "splits": float(len(plan.splits)),
    }
    if len(predicted := solution.log.get("predicted", np.empty(0))):
        metrics |= {
            "predicted": float(predicted[-1]),
            "prediction_error": abs(float(predicted[-1]) / solution.objective - 1),
        }
    return metrics


def _imbalance(load: np.ndarray) -> float:
    mean = float(np.mean(load))
    return float(np.max(load)) / mean if mean else np.nan
