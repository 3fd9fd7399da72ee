"""What is measured of a search on an integer program (docs/papers/lb_relax.md#5.2)."""

from __future__ import annotations

import numpy as np

from data.ilp.problem import ILP
from solvers.base import Solution, Status


def measure(problem: ILP, solution: Solution) -> dict[str, float]:
    """Bounds and proofs, and means over the iterations of LNS."""
    metrics = {
        "primal_bound": solution.objective,
        "proved": float(solution.status in (Status.OPTIMAL, Status.INFEASIBLE, Status.UNBOUNDED)),
        "infeasible": float(solution.status == Status.INFEASIBLE),
        "unbounded": float(solution.status == Status.UNBOUNDED),
    }
    if len(solution.trace):
        metrics["dual_bound"] = solution.trace.bound[-1]
    return metrics | per_iteration(solution)


def per_iteration(solution: Solution) -> dict[str, float]:
    """Means over the iterations of an LNS search: abs(X), LP-integral share, and shares of the time of its phases.

    Empty for solvers that keep no such log and for searches that ended before their first iteration.
    """
    log = solution.log
    if "free" not in log or not len(log["free"]):
        return {}
    means = {"mean_free": float(np.mean(log["free"]))}
    integral = log["lp_integral_share"][np.isfinite(log["lp_integral_share"])]
    if len(integral):
        means["mean_lp_integral_share"] = float(np.mean(integral))
    seconds = {phase: float(np.sum(log[f"{phase}_seconds"])) for phase in ("select", "repair", "overhead")}
    total = sum(seconds.values())
    return means | {f"{phase}_seconds_share": spent / total for phase, spent in seconds.items() if total > 0}
