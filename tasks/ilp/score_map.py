"""Where a scorer's high scores lie beside the variables that local branching changes (docs/papers/cl_lns.md#7.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from data.ilp.problem import ILP
from runs.errors import ConfigError, InvalidProblem
from runs.files import atomic_write
from runs.interrupt import check
from runs.names import safe_name
from runs.record.instances import InstanceResult
from runs.record.left_out import draw, kept_apart
from solvers.base import Budget
from solvers.lns.destroy.local_branching import LocalBranching
from solvers.lns.destroy.scored import PreparedScorer, Scored, Scorer, as_numpy
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.state import SearchState
from tasks.ilp.score_map_page import score_map_figure, score_map_page
from tasks.ilp.scored_incumbent import ScoredIncumbent
from tasks.problems import ProblemTask


class ScoreMaps(ProblemTask):
    """Scores beside local branching's sets from incumbents on the path of an LNS: figures, pages, AUC and recall.

    Each instance leaves ``figures/score_map_<instance>.png`` and ``score_map_<instance>.html`` in the run's folder.

    Parameters
    ----------
    solver
        LNS with :class:`solvers.lns.destroy.scored.Scored`, whose scorer is shown.
    path
        The LNS that makes the incumbents.
    reference
        LNS with local branching.
    size
        k of local branching and of the recall.
    seed
        Seed of the path and of local branching.
    incumbents, between
        How many incumbents, and how many iterations of ``path`` lie between two of them.
    model
        A scorer to show instead, or None.

    Raises
    ------
    ConfigError
        ``solver`` or ``reference`` is of another kind, there is no scorer, or ``size`` is below 1.
    """

    def __init__(
        self,
        solver: LargeNeighborhoodSearch,
        path: LargeNeighborhoodSearch,
        reference: LargeNeighborhoodSearch,
        size: int,
        seed: int,
        incumbents: int = 3,
        between: int = 10,
        model: torch.nn.Module | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(solver.destroy, Scored) or not isinstance(reference.destroy, LocalBranching):
            raise ConfigError("a score map needs solver=lns/scored and task.reference with local branching")
        scorer: Any = model or solver.destroy.scorer
        if scorer is None:
            raise ConfigError("solver.destroy.scorer is null; set it to the scorer that the map shall show")
        if not size >= 1:
            raise ConfigError(f"task.size is {size}; local branching needs a k of 1 at least")
        self.scorer: Scorer = scorer
        self.size, self.path, self.expert = size, path, reference.destroy
        self.seed = seed
        self.incumbents, self.between = incumbents, between
        self.model = model

    def result(self, index: int, name: str, problem: ILP) -> InstanceResult:
        """Map one instance."""
        k, rated = self.size, [one for one in self._rated(index, problem) if one.best.any()]
        if rated:
            stem = f"score_map_{safe_name(name)}"
            draw(self.folder, stem, lambda: score_map_figure(rated, k, name))
            with kept_apart(self.folder, f"page {stem}.html"):
                atomic_write(self.folder / f"{stem}.html", score_map_page(rated, problem, k, name).encode())
        metrics = {
            "auc": [one.auc() for one in rated],
            "recall_at_k": [one.recall(k) for one in rated],
            "recall_at_best_size": [one.recall(int(one.best.sum())) for one in rated],
            "best_size": [float(one.best.sum()) for one in rated],
        }
        means = {key: float(np.nanmean(values)) if values else float("nan") for key, values in metrics.items()}
        return InstanceResult(index, name, means | {"incumbents_improved": float(len(rated))})

    def _rated(self, index: int, problem: ILP) -> Iterator[ScoredIncumbent]:
        minimisation = problem.to_min()
        variables = np.flatnonzero(problem.integer & (problem.lb < problem.ub))
        self.expert.prepare(minimisation)
        if isinstance(self.scorer, PreparedScorer):
            self.scorer.prepare(minimisation, np.inf)
        history: tuple[np.ndarray, ...] = ()
        for position in range(self.incumbents):
            incumbent = self._next(minimisation, history, np.random.default_rng([self.seed, index, position]))
            state = SearchState(minimisation, variables, incumbent, minimisation.objective(incumbent), history)
            rng = np.random.default_rng([self.seed, index, position, 1])
            found = self.expert.best_within(state, self.size, rng)
            check()
            better = incumbent if found.assignment is None else found.assignment
            scores = as_numpy(self.scorer.scores(minimisation, incumbent, history))
            changed = np.rint(better[variables]) != incumbent[variables]
            gain = state.objective - minimisation.objective(better)
            yield ScoredIncumbent(variables, incumbent[variables], scores[variables], changed & (gain > 1e-5), gain)
            history = (incumbent, *history)

    def _next(self, problem: ILP, history: tuple[np.ndarray, ...], rng: np.random.Generator) -> np.ndarray:
        initial = history[0] if history else None
        solution = self.path.solve(problem, budget=Budget(evaluations=self.between), initial=initial, rng=rng)
        check()
        if solution.assignment is None:
            raise InvalidProblem(f"{problem.name}: no initial solution, so there is no incumbent to score")
        return solution.assignment
