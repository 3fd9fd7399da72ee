"""Local branching: the variables that the best assignment within distance k flips."""

from __future__ import annotations

from typing import final

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.base import Budget, Solution
from solvers.lns.distance import Distance, distance_row, measured, with_row
from solvers.lns.repair import CUTOFF_SLACK
from solvers.lns.state import Destroy, SearchState, Selection
from solvers.milp.base import MilpSolver, OnIncumbent


@final
class LocalBranching(Destroy):
    """Solve the ILP with row docs/papers/lb_relax.md#(3) and the cut-off, and free what its solution flips.

    The ILP's solution goes along, so nothing it found is lost. No solution: the iteration counts as not improved.

    Parameters
    ----------
    solver
        The back end of the (full-size) ILP.
    seconds
        Its limit; the paper's ``LONG`` form has 3600.
    distance
        See :func:`solvers.lns.distance.measured`.
    nodes
        Its limit in the back end's evaluations, which does not depend on the machine.
    """

    def __init__(
        self, solver: MilpSolver, seconds: float = 600.0, distance: Distance = "binary", nodes: int | None = None
    ) -> None:
        if not seconds > 0:
            raise ConfigError(f"destroy.seconds is {seconds}; it must be > 0")
        self.solver = solver
        self.seconds = seconds
        self.distance = distance
        self.nodes = nodes

    def prepare(self, problem: ILP, scorer: object = None) -> None:
        self.counted = measured(problem, self.distance)

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        return flipped(state, self.best_within(state, k, rng).assignment)

    def best_within(
        self, state: SearchState, k: int, rng: np.random.Generator, on_incumbent: OnIncumbent | None = None
    ) -> Solution:
        """Solve the ILP over the assignments within distance ``k`` of the incumbent and not worse than it.

        ``on_incumbent`` is told of each better assignment on the way, of the incumbent first.
        """
        coefficients, constant = distance_row(state.problem, state.incumbent, self.counted)
        return self.solver.solve(
            with_row(state.problem, coefficients, -np.inf, k - constant),
            budget=Budget(seconds=min(self.seconds, state.remaining_seconds), evaluations=self.nodes),
            initial=state.incumbent,
            cutoff=state.objective + CUTOFF_SLACK,
            rng=np.random.default_rng(int(rng.integers(2**31))),
            on_incumbent=on_incumbent,
        )


def flipped(state: SearchState, assignment: np.ndarray | None) -> Selection:
    """Free the integer variables that ``assignment`` (n,) moves, and hand the assignment on."""
    if assignment is None:
        return Selection.nothing(state)
    free = state.problem.integer & (np.rint(assignment) != state.incumbent)
    return Selection(free, repair=bool(free.any()), solution=assignment)
