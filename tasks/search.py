"""Searching good solutions of problem instances, in any domain: a solver, a budget, and what is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch

from runs.anytime import primal_gap
from runs.errors import SolverFailure
from runs.interrupt import Interrupted, check
from runs.record import instances
from runs.record.checkpoint import FileCheckpoint
from runs.record.instances import InstanceResult
from runs.record.left_out import warn
from solvers.base import BrokenOff, Budget, Solution, Solver, Status
from tasks.problems import ProblemTask

_START_ONLY = "start only"


class Measure(Protocol):
    """What a domain reports of one search: numbers by metric name.

    ``solution`` has been checked: its ``objective`` and ``feasible`` are what the problem says, NaN and False without a
    feasible assignment.
    """

    def __call__(self, problem: Any, solution: Solution) -> dict[str, float]: ...


def objective(problem: Any, solution: Solution) -> dict[str, float]:
    """The objective and nothing else, as a :class:`Measure`."""
    return {"objective": solution.objective}


class Search(ProblemTask):
    """Runs a solver on every instance, checks what it returns and measures it.

    Besides what ``measure`` reports, every search has ``feasible``, ``seconds``, ``evaluations`` (what one is, the solver
    says), ``evaluations_per_second``, ``start_only`` (1 where the budget was spent before the first iteration, of a solver
    that has some) and, where the data know the optimum, ``optimum`` and ``primal_gap`` to it; reports recompute the gap
    against a sweep's best. A solver that broke down leaves what it had found, and an error. Problems have ``name``,
    ``objective(assignment)`` and ``is_feasible(assignment)``; data are a :class:`data.modules.ProblemData`.

    A killed search goes on from its last checkpoint. Nothing is trained here; a learned search is a subclass that also
    says how its scorer is trained.

    Parameters
    ----------
    solver
        Any :class:`solvers.base.Solver`.
    budget
        ``seconds`` and ``evaluations`` for each instance, the initial solution included.
    seed
        Seed of the searches.
    measure
        Called as ``measure(problem, solution)`` for each instance; default ``objective``.
    checkpoint_seconds
        How much search a killed run loses at most.
    model
        A learned scorer for the solver, or None.
    """

    def __init__(
        self,
        solver: Solver,
        budget: dict[str, Any],
        seed: int,
        measure: Measure = objective,
        checkpoint_seconds: float = 1.0,
        model: torch.nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.solver = solver
        self.budget = Budget(**budget)
        self.measure = measure
        self.checkpoint_seconds = checkpoint_seconds
        self.model = model

    def result(self, index: int, name: str, problem: Any) -> InstanceResult:
        """Search one instance within the budget."""
        return self.search(self.solver, index, name, problem)

    def search(self, solver: Solver, index: int, name: str, problem: Any, method: str | None = None) -> InstanceResult:
        """The result of a solver on one instance, with the budget and the model of this run; ``method`` names another's."""
        failure = ""
        try:
            solution = solver.solve(
                problem,
                budget=self.budget,
                scorer=self.model,
                rng=np.random.default_rng([self.seed, index]),
                checkpoint=FileCheckpoint(self.state_path(name, method), every=self.checkpoint_seconds),
            )
        except BrokenOff as broken:
            solution, failure = broken.solution, str(broken)
        check()
        if solution.status == Status.INTERRUPTED:
            raise Interrupted
        solution = checked(problem, solution)
        optimum = self.data.problem_optimum(problem.name)
        return InstanceResult(
            index=index,
            name=name,
            metrics=self.measure(problem, solution) | effort(solution) | gap(solution, optimum) | self.searched(),
            trace=solution.trace,
            log=solution.log,
            assignment=solution.assignment,
            error=failure,
            method=method,
        )

    def on_test_epoch_end(self) -> None:
        """The means, and a warning to the report where no search took place."""
        super().on_test_epoch_end()
        alone = [result.name for result in instances.load_all(self.folder) if result.metrics.get("start_only")]
        if self.trainer.is_global_zero:
            names = ", ".join(alone[:3]) + (" and others" if len(alone) > 3 else "")
            message = (
                f"{_START_ONLY}: on {len(alone)} instances ({names}) the budget ended before the first iteration, so what "
                "stands there is the initial solution; give it a larger task.budget"
            )
            warn(self.folder, _START_ONLY, message if alone else None)

    def searched(self) -> dict[str, float]:
        """A hook: further numbers of the instance just searched."""
        return {}


def checked(problem: Any, solution: Solution) -> Solution:
    """The solution with the objective and the feasibility that the problem itself finds, whatever the solver says.

    Raises
    ------
    SolverFailure
        The problem calls the solution feasible, but its objective is not finite.
    """
    assignment = solution.assignment
    feasible = assignment is not None and bool(problem.is_feasible(assignment))
    objective = float(problem.objective(assignment)) if feasible else np.nan
    if feasible and not np.isfinite(objective):
        raise SolverFailure(f"{problem.name}: the solution is feasible, but its objective is {objective}")
    return replace(solution, objective=objective, feasible=feasible)


def effort(solution: Solution) -> dict[str, float]:
    """Whether there is a feasible solution, and what the search for it took."""
    trace = solution.trace
    seconds, evaluations = (trace.seconds[-1], trace.evaluations[-1]) if len(trace) else (np.nan, 0)
    return {
        "feasible": float(solution.feasible),
        "seconds": seconds,
        "evaluations": float(evaluations),
        "evaluations_per_second": evaluations / seconds if evaluations and seconds else np.nan,
    } | _start_only(solution)


def _start_only(solution: Solution) -> dict[str, float]:
    """Of a search in iterations, whether it spent its budget before the first; what it has is then its start's."""
    if not solution.log:
        return {}
    iterations = max(len(column) for column in solution.log.values())
    return {"start_only": float(solution.feasible and not iterations and solution.status == Status.FEASIBLE)}


def gap(solution: Solution, optimum: float | None) -> dict[str, float]:
    """The optimum and the primal gap to it, 1 without a feasible solution; nothing where no optimum is known."""
    return {} if optimum is None else {"optimum": optimum, "primal_gap": float(primal_gap(solution.objective, optimum))}
