"""Several solvers on one instance of a run: results beside each other, and the best of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runs.record import instances
from runs.record.instances import InstanceResult
from solvers.base import Solver
from tasks.search import Search

OWN = "search"
"""What the run's own solver is called among the others."""


def side_by_side(
    task: Search,
    others: Mapping[str, Solver],
    own: Callable[[int, str, Any], InstanceResult],
    index: int,
    name: str,
    problem: Any,
) -> dict[str, InstanceResult]:
    """The results of all, by label: those of the others are saved, and the run's own comes last.

    Parameters
    ----------
    task
        Whose model, budget and seed all have.
    others
        Solvers by name.
    own
        Makes the run's own result of index, name and problem.
    """
    found = {label: task.search(solver, index, name, problem, label) for label, solver in others.items()}
    for other in found.values():
        instances.save(task.folder, other)
    return found | {OWN: own(index, name, problem)}


def answers(found: Mapping[str, InstanceResult]) -> dict[str, Any]:
    """The assignments that are feasible, by label."""
    return {
        label: each.assignment
        for label, each in found.items()
        if each.assignment is not None and each.metrics["feasible"]
    }


def best_of(problem: Any, assignments: Mapping[str, Any]) -> str | None:
    """The label of the best assignment in the problem's sense, of equal ones the run's own; None of none."""
    sign = -1 if getattr(problem, "maximize", False) else 1
    return min(
        assignments, key=lambda label: (sign * problem.objective(assignments[label]), label != OWN), default=None
    )
