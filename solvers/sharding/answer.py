"""From a plan to what every solver returns: checked and priced by the problem."""

from __future__ import annotations

import numpy as np

from data.sharding.plan import Plan
from data.sharding.problem import ShardingProblem
from runs import interrupt
from runs.anytime import Trace
from solvers.base import Meter, Solution, Status


def answer(
    problem: ShardingProblem,
    plan: Plan | None,
    meter: Meter,
    trace: Trace,
    log: dict[str, np.ndarray] | None = None,
) -> Solution:
    """The solution that is a plan, with its cost by the problem's oracle; without a plan, none."""
    seconds, evaluations = meter.seconds, meter.evaluations
    array = None if plan is None else plan.array()
    feasible = array is not None and problem.is_feasible(array)
    objective = problem.objective(array) if array is not None else float("nan")
    if feasible and not len(trace):
        trace.record(seconds, evaluations, objective)
    status = Status.FEASIBLE if feasible else Status.NO_SOLUTION
    if interrupt.requested():
        status = Status.INTERRUPTED
    return Solution(array, objective, feasible, status, trace, log or {})
