"""Small problems and searches that the tests of LNS share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from data.ilp.problem import ILP
from solvers.base import Budget, Solution
from solvers.lns.destroy.bandit import Bandit
from solvers.lns.destroy.crossover import Crossover
from solvers.lns.destroy.dins import DINS
from solvers.lns.destroy.graph import Graph
from solvers.lns.destroy.lb_relax import LBRelax
from solvers.lns.destroy.lb_relax_best_of import LBRelaxBestOf
from solvers.lns.destroy.lb_relax_least import LBRelaxLeast
from solvers.lns.destroy.lb_relax_r import LBRelaxR
from solvers.lns.destroy.lb_relax_s import LBRelaxS
from solvers.lns.destroy.local_branching import LocalBranching
from solvers.lns.destroy.mutation import Mutation
from solvers.lns.destroy.proximity import Proximity
from solvers.lns.destroy.random import Random
from solvers.lns.destroy.rens import RENS
from solvers.lns.destroy.rins import RINS
from solvers.lns.destroy.scored import Scored
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.scorers.lb_relax import LBRelaxScorer
from solvers.lns.scorers.lp_distance import LPDistance
from solvers.lns.scorers.mixture import Mixture
from solvers.lns.size import NeighborhoodSize
from solvers.lns.start import Greedy
from solvers.lns.state import Destroy
from solvers.milp.highs import Highs


class CostScorer:
    """Scores the costly variables of the incumbent high."""

    def scores(self, problem: ILP, incumbent: np.ndarray, history: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.abs(problem.c) * (1 - 2 * incumbent) / 10


HEURISTICS: dict[str, Callable[[], Destroy]] = {
    "random": Random,
    "graph": Graph,
    "rins": RINS,
    "lb_relax": LBRelax,
    "lb_relax_reuse": lambda: LBRelax(lp=LocalBranchingLP(reuse=True)),
    "lb_relax_generated_rows": lambda: LBRelax("reduced_cost", lp=LocalBranchingLP(rows="generated")),
    "lb_relax_multiplier": lambda: LBRelax(lp=LocalBranchingLP(distance_row="multiplier")),
    "lb_relax_both": lambda: LBRelax(lp=LocalBranchingLP(rows="generated", distance_row="multiplier")),
    "lb_relax_r": LBRelaxR,
    "lb_relax_s": LBRelaxS,
    "lb_relax_best_of": lambda: LBRelaxBestOf(Highs(), draws=3),
    "lb_relax_least": LBRelaxLeast,
    "local_branching": lambda: LocalBranching(Highs()),
    "dins": DINS,
    "mutation": Mutation,
    "crossover": Crossover,
    "rens": RENS,
    "proximity": lambda: Proximity(Highs()),
    "scored": lambda: Scored(CostScorer()),
    "scored_mixture": lambda: Scored(Mixture(LPDistance(), LBRelaxScorer(10))),
    "bandit": lambda: Bandit({"random": Random(), "rins": RINS(), "lb_relax_s": LBRelaxS()}, cost="evaluations"),
}


def search(destroy: Destroy, problem: ILP, evaluations: int, seed: int = 0, size: int = 0, **settings: Any) -> Solution:
    """A greedy start and ``evaluations`` iterations with HiGHS."""
    solve = {key: settings.pop(key) for key in ("checkpoint", "initial", "scorer") if key in settings}
    schedule = settings.pop("schedule", NeighborhoodSize(size))
    settings = {"start": Greedy()} | settings
    engine = LargeNeighborhoodSearch(destroy, Highs(), size=schedule, **settings)
    return engine.solve(problem, budget=Budget(evaluations=evaluations), rng=np.random.default_rng(seed), **solve)
