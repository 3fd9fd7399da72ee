"""What a plan of any origin costs, on any oracle (docs/sharding.md)."""

from __future__ import annotations

import numpy as np

from data.sharding.plan import Plan
from data.sharding.plan_file import read_plan
from data.sharding.problem import GIB, ShardingProblem
from runs.anytime import Trace
from runs.errors import ConfigError, InvalidProblem
from runs.record.instances import InstanceResult
from runs.record.kept_files import tell
from runs.record.left_out import draw
from solvers.base import Solution, Status
from tasks.problems import ProblemTask
from tasks.sharding.balance_figure import balance_figure
from tasks.sharding.measure import measure
from tasks.sharding.plans import keep_plan, sentences


class PlanPricing(ProblemTask):
    """Prices a plan that a file holds, and leaves it in both formats; nothing is searched.

    Parameters
    ----------
    plan_file
        CSV, or TorchRec's JSON; see :func:`data.sharding.plan_file.read_plan`.

    Raises
    ------
    ConfigError
        There is none.
    """

    def __init__(self, plan_file: str | None) -> None:
        super().__init__()
        if plan_file is None:
            raise ConfigError("plan is null; give plan=FILE, a CSV or a JSON file, or several between commas")
        self.plan_file = plan_file

    def result(self, index: int, name: str, problem: ShardingProblem) -> InstanceResult:
        """Price it on one task.

        Raises
        ------
        InvalidProblem
            The file holds no plan for the task, or one that does not keep every memory and the rules of every table.
        """
        plan = read_plan(self.plan_file, problem)
        array = plan.array()
        if not problem.is_feasible(array):
            raise InvalidProblem(f"{self.plan_file}: {_why_not(problem, array)}")
        solution = Solution(array, problem.objective(array), True, Status.FEASIBLE, Trace())
        keep_plan(self.folder, problem, plan)
        draw(self.folder, "devices", lambda: balance_figure(problem, {"plan": plan}))
        tell(self.folder, sentences(problem, plan))
        return InstanceResult(index, name, measure(problem, solution) | {"feasible": 1.0}, assignment=array)


def _why_not(problem: ShardingProblem, array: np.ndarray) -> str:
    pieces = problem.pieces(Plan.of_array(array))
    used = problem.memory_used(pieces)
    if (used > problem.memory).any():
        device = int(np.argmax(used - problem.memory))
        return (
            f"device {device} would hold {used[device] / GIB:.4g} GiB, and has {problem.memory[device] / GIB:.4g}; give "
            "larger data.memory_gib, or another plan"
        )
    return "a table is not on the device it is pinned to, or in more pieces than it may be"
