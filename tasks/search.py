"""Searching good solutions of problem instances, in any domain: a solver, a budget, and what is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch

from runs.anytime import primal_gap
from runs.interrupt import Interrupted, check
from runs.record.checkpoint import FileCheckpoint
from runs.record.instances import InstanceResult
from solvers.base import Budget, Solution, Solver, Status
from tasks.problems import ProblemTask


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
    says), ``evaluations_per_second`` and, where the data know the optimum, ``optimum`` and ``primal_gap`` to it; reports
    recompute the gap against a sweep's best. Problems have ``name``, ``objective(assignment)`` and
    ``is_feasible(assignment)``; data are a :class:`data.modules.ProblemData`.

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
        solution = self.solver.solve(
            problem,
            budget=self.budget,
            scorer=self.model,
            rng=np.random.default_rng([self.seed, index]),
            checkpoint=FileCheckpoint(self.state_path(name), every=self.checkpoint_seconds),
        )
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
        )

    def searched(self) -> dict[str, float]:
        """A hook: further numbers of the instance just searched."""
        return {}


def checked(problem: Any, solution: Solution) -> Solution:
    """The solution with the objective and the feasibility that the problem itself finds, whatever the solver says."""
    assignment = solution.assignment
    feasible = assignment is not None and bool(problem.is_feasible(assignment))
    objective = float(problem.objective(assignment)) if feasible else np.nan
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
    }


def gap(solution: Solution, optimum: float | None) -> dict[str, float]:
    """The optimum and the primal gap to it, 1 without a feasible solution; nothing where no optimum is known."""
    return {} if optimum is None else {"optimum": optimum, "primal_gap": float(primal_gap(solution.objective, optimum))}
