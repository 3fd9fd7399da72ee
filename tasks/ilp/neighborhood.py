"""How good is one neighbourhood? One step of a heuristic from given incumbents, beside local branching's own step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch

from data.ilp.problem import ILP
from runs.errors import InvalidProblem
from runs.interrupt import Interrupted
from runs.record.instances import InstanceResult
from runs.store.cache import ArtifactCache, json_bytes, json_value
from solvers.base import Budget, Solution, Status
from solvers.lns.engine import LargeNeighborhoodSearch
from tasks.problems import ProblemTask

IMPROVING = 1e-5


@dataclass(frozen=True)
class Step:
    """One iteration of LNS from a given incumbent."""

    improvement: float
    seconds: float
    free: float


class NeighborhoodQuality(ProblemTask):
    """Improvement and time of one step from the same incumbents with the same k (docs/papers/lb_relax.md#5.3).

    The incumbents lie on the path of another LNS, the same for all methods compared. Ratios are to local branching's step
    from the same incumbent, over the incumbents that local branching improves; its steps are cached, so that each is
    computed once for all methods.

    Parameters
    ----------
    solver
        The LNS method whose first step is measured.
    path
        The LNS that makes the incumbents.
    reference
        LNS with local branching.
    settings
        JSON text of the configuration of ``reference``, by which its steps are cached.
    cache
        Folder of the artifact cache.
    seed
        Seed of the path and of the steps.
    incumbents, between
        How many incumbents, and how many iterations of ``path`` lie between two of them.
    model
        A learned scorer for LNS, or None.
    """

    def __init__(
        self,
        solver: LargeNeighborhoodSearch,
        path: LargeNeighborhoodSearch,
        reference: LargeNeighborhoodSearch,
        settings: str,
        cache: str,
        seed: int,
        incumbents: int = 5,
        between: int = 10,
        model: torch.nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.solver, self.path, self.reference = solver, path, reference
        self.seed = seed
        self.settings = json.loads(settings)
        self.cache = ArtifactCache(cache)
        self.incumbents, self.between = incumbents, between
        self.model = model

    def result(self, index: int, name: str, problem: ILP) -> InstanceResult:
        """Steps from every incumbent of one instance."""
        ours, theirs = [], []
        for position, incumbent in enumerate(self._incumbents(index, problem)):
            rng = np.random.default_rng([self.seed, index, position])
            ours.append(self._step(self.solver, problem, incumbent, rng))
            theirs.append(self._reference_step(problem, incumbent))
        pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if b.improvement > IMPROVING]
        return InstanceResult(
            index=index,
            name=name,
            metrics={
                "step_improvement": float(np.mean([step.improvement for step in ours])),
                "step_seconds": float(np.mean([step.seconds for step in ours])),
                "step_free": float(np.mean([step.free for step in ours])),
                "improvement_ratio": float(np.mean([a.improvement / b.improvement for a, b in pairs] or [np.nan])),
                "seconds_ratio": float(np.mean([a.seconds / b.seconds for a, b in pairs] or [np.nan])),
                "incumbents_improved_by_local_branching": float(len(pairs)),
            },
        )

    def _incumbents(self, index: int, problem: ILP) -> Iterator[np.ndarray]:
        incumbent: np.ndarray | None = None
        for position in range(self.incumbents):
            solution = self.path.solve(
                problem,
                budget=Budget(evaluations=self.between),
                initial=incumbent,
                rng=np.random.default_rng([self.seed, index, position, 0]),
            )
            incumbent = _assignment(problem, solution)
            yield incumbent

    def _step(
        self, method: LargeNeighborhoodSearch, problem: ILP, incumbent: np.ndarray, rng: np.random.Generator
    ) -> Step:
        solution = method.solve(problem, budget=Budget(evaluations=1), scorer=self.model, initial=incumbent, rng=rng)
        after = problem.objective(_assignment(problem, solution))
        gain = (after - problem.objective(incumbent)) * (1 if problem.maximize else -1)
        seconds = [solution.log[column].sum() for column in ("select_seconds", "repair_seconds", "overhead_seconds")]
        return Step(max(0.0, float(gain)), float(sum(seconds)), float(solution.log["free"].mean()))

    def _reference_step(self, problem: ILP, incumbent: np.ndarray) -> Step:
        settings = {
            "artifact": "local branching step",
            "problem": problem.fingerprint,
            "incumbent": sha256(np.ascontiguousarray(incumbent).tobytes()).hexdigest(),
            "reference": self.settings,
        }

        def make() -> bytes:
            return json_bytes(vars(self._step(self.reference, problem, incumbent, np.random.default_rng(0))))

        return Step(**json_value(self.cache.get_or_make(self.cache.key(settings), make)))


def _assignment(problem: ILP, solution: Solution) -> np.ndarray:
    if solution.status == Status.INTERRUPTED:
        raise Interrupted
    if solution.assignment is None:
        raise InvalidProblem(f"{problem.name}: no initial solution, so there is no neighbourhood to measure")
    return solution.assignment
