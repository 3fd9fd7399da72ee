"""Searching good solutions of integer programs: no parameters, nothing to fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from data.ilp.problem import ILP
from runs.anytime import primal_gap
from runs.interrupt import Interrupted, check
from runs.record.checkpoint import FileCheckpoint
from runs.record.instances import InstanceResult
from solvers.base import Budget, Solution, Solver, Status
from tasks.problems import ProblemTask

SUMMARY = ("primal_bound", "feasible", "proved", "primal_gap", "seconds", "evaluations", "evaluations_per_second")


class IntegerProgramming(ProblemTask):
    """Runs a solver on every instance and checks what it returns (docs/papers/lb_relax.md#5.2).

    Parameters
    ----------
    solver
        Any :class:`solvers.base.Solver`: an LNS method or a plain back end.
    budget
        ``seconds`` and ``evaluations`` for each instance, the initial solution included.
    seed
        Seed of the searches.
    checkpoint_seconds
        How much search a killed run loses at most.
    model
        A learned scorer for LNS, or None.
    """

    def __init__(
        self,
        solver: Solver,
        budget: dict[str, Any],
        seed: int,
        checkpoint_seconds: float = 1.0,
        model: torch.nn.Module | None = None,
    ) -> None:
        super().__init__(seed, SUMMARY)
        self.solver = solver
        self.budget = Budget(**budget)
        self.checkpoint_seconds = checkpoint_seconds
        self.model = model

    def result(self, index: int, name: str, problem: ILP) -> InstanceResult:
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
        return InstanceResult(
            index=index,
            name=name,
            metrics=measure(problem, solution, self.data.problem_optimum(problem.name)) | self.searched(),
            trace=solution.trace,
            log=solution.log,
            assignment=solution.assignment,
        )

    def searched(self) -> dict[str, float]:
        """A hook: further numbers of the instance just searched."""
        return {}


def measure(problem: ILP, solution: Solution, optimum: float | None) -> dict[str, float]:
    """The numbers reported for one instance; objective and feasibility come from the problem, not from the solver.

    ``primal_gap`` is to the published optimum and NaN without one: reports recompute it against a sweep's best.
    """
    assignment = solution.assignment
    feasible = assignment is not None and problem.is_feasible(assignment)
    objective = problem.objective(assignment) if assignment is not None and feasible else np.nan
    seconds = solution.trace.seconds[-1] if len(solution.trace) else np.nan
    evaluations = solution.trace.evaluations[-1] if len(solution.trace) else 0
    metrics = {
        "primal_bound": objective,
        "feasible": float(feasible),
        "proved": float(solution.status in (Status.OPTIMAL, Status.INFEASIBLE, Status.UNBOUNDED)),
        "infeasible": float(solution.status == Status.INFEASIBLE),
        "unbounded": float(solution.status == Status.UNBOUNDED),
        "seconds": seconds,
        "evaluations": float(evaluations),
        "evaluations_per_second": evaluations / seconds if evaluations and seconds else np.nan,
    }
    metrics |= per_iteration(solution)
    if len(solution.trace):
        metrics["dual_bound"] = solution.trace.bound[-1]
    if optimum is not None:
        metrics["optimum"] = optimum
        metrics["primal_gap"] = float(primal_gap(objective, optimum)) if feasible else 1.0
    return metrics


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
