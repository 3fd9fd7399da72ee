"""From a plan to what every solver returns: checked and priced by the problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data.sharding.plan import Pieces, Plan
from data.sharding.problem import ShardingProblem
from runs import interrupt
from runs.anytime import Trace
from solvers.base import Meter, Solution, Status


class Held(NamedTuple):
    """The plan that a search would have returned after some seconds and evaluations."""

    seconds: float
    evaluations: int
    plan: Plan


def answer(
    problem: ShardingProblem,
    plan: Plan | None,
    meter: Meter,
    held: Sequence[Held] = (),
    log: dict[str, np.ndarray] | None = None,
) -> Solution:
    """The solution that is a plan, with its cost by the problem's oracle, and the trace of those held before; or none."""
    end = meter.seconds, meter.evaluations
    array = None if plan is None else plan.array()
    feasible = array is not None and problem.is_feasible(array)
    objective = problem.objective(array) if array is not None else float("nan")
    trace = Trace()
    if feasible:
        for (seconds, evaluations, _), cost in zip(held, _prices(problem, held), strict=True):
            trace.record(seconds, evaluations, cost)
        trace.record(*end, objective)
    status = Status.FEASIBLE if feasible else Status.NO_SOLUTION
    if interrupt.requested():
        status = Status.INTERRUPTED
    return Solution(array, objective, feasible, status, trace, log or {})


def _prices(problem: ShardingProblem, held: Sequence[Held]) -> list[float]:
    """ms of each plan, by one call of the oracle."""
    if not held:
        return []
    pieces = Pieces.of_plans([problem.pieces(each.plan) for each in held], problem.devices)
    return problem.oracle.price(problem.tables, pieces, problem.devices, len(held)).plan.tolist()
