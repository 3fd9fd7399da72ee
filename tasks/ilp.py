"""Searching good solutions of integer programs: one instance per test step, no parameters, nothing to fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from torchmetrics import MeanMetric, MetricCollection

from data.ilp.problem import ILP
from runs import instances
from runs.checkpoint import FileCheckpoint
from runs.errors import InvalidProblem, RepriseError
from runs.instances import InstanceResult
from runs.interrupt import Interrupted, requested
from runs.names import safe_name
from solvers.base import Budget, Solution, Solver, Status

SUMMARY = ("primal_bound", "feasible", "proved", "primal_gap", "seconds", "evaluations", "evaluations_per_second")


class IntegerProgramming(lightning.LightningModule):
    """Runs a solver on every instance and checks what it returns (paper page, section 5).

    Parameters
    ----------
    solver
        Any :class:`solvers.base.Solver`: an LNS method or a plain back end.
    budget
        ``seconds`` and ``evaluations`` for each instance, the initial solution included.
    seed
        With the instance's index it determines the random numbers of one search; never the rank.
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
        super().__init__()
        self.solver = solver
        self.budget = Budget(**budget)
        self.seed = seed
        self.checkpoint_seconds = checkpoint_seconds
        self.model = model
        self.means = MetricCollection({name: MeanMetric(nan_strategy="ignore") for name in SUMMARY})
        self._first_error: RepriseError | None = None

    def test_step(self, batch: tuple[int, ILP | InvalidProblem], batch_index: int) -> None:
        """Solve one instance, unless an earlier life of this run has."""
        index, problem = batch
        folder = Path(self.trainer.default_root_dir)
        name = self._name(problem)
        result = instances.load(instances.result_path(folder, name))
        if result is None or result.error:
            result = self._result(index, name, problem, folder)
            instances.save(folder, result)
            (folder / "instances" / f"{safe_name(name)}.state.npz").unlink(missing_ok=True)
        for name, mean in self.means.items():
            mean.update(result.metrics.get(name, np.nan))

    def on_test_epoch_end(self) -> None:
        """Mean over all instances of all ranks."""
        self.log_dict(self.means.compute())
        self.trainer.strategy.barrier()
        results = instances.load_all(Path(self.trainer.default_root_dir))
        if results and all(result.error for result in results):
            raise self._first_error or InvalidProblem("; ".join(f"{r.name}: {r.error}" for r in results))

    def _name(self, problem: ILP | InvalidProblem) -> str:
        name = problem.name if isinstance(problem, ILP) else str(getattr(problem, "instance_name", "unreadable"))
        return f"{self._data.name}/{name}"

    @property
    def _data(self) -> Any:
        return self.trainer.datamodule  # type: ignore[attr-defined]

    def _result(self, index: int, name: str, problem: ILP | InvalidProblem, folder: Path) -> InstanceResult:
        try:
            if isinstance(problem, InvalidProblem):
                raise problem
            checkpoint = FileCheckpoint(
                folder / "instances" / f"{safe_name(name)}.state.npz", every=self.checkpoint_seconds
            )
            solution = self.solver.solve(
                problem,
                budget=self.budget,
                scorer=self.model,
                rng=np.random.default_rng([self.seed, index]),
                checkpoint=checkpoint,
            )
        except RepriseError as error:
            self._first_error = self._first_error or error
            return InstanceResult(index, name, {}, error=f"{type(error).__name__}: {error}")
        if solution.status == Status.INTERRUPTED or requested():
            raise Interrupted
        optimum = self._data.problem_optimum(problem.name)
        return InstanceResult(
            index=index,
            name=name,
            metrics=measure(problem, solution, optimum),
            trace=solution.trace,
            log=solution.log,
            assignment=solution.assignment,
        )


def measure(problem: ILP, solution: Solution, optimum: float | None) -> dict[str, float]:
    """The numbers reported for one instance; objective and feasibility come from the problem, not from the solver.

    ``primal_gap`` is to the published optimum and NaN without one: reports recompute it against a sweep's best.
    """
    from runs.anytime import primal_gap

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
    if len(solution.trace):
        metrics["dual_bound"] = solution.trace.bound[-1]
    if optimum is not None:
        metrics["optimum"] = optimum
        metrics["primal_gap"] = float(primal_gap(objective, optimum)) if feasible else 1.0
    return metrics
