"""Proximity search (Fischetti and Monaci, 2014): the nearest assignment that is better by a given amount."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError
from runs.record.checkpoint import State
from solvers.base import Budget
from solvers.lns.destroy.local_branching import flipped
from solvers.lns.distance import Distance, distance_row, measured, with_row
from solvers.lns.improvement import IMPROVEMENT
from solvers.lns.state import Destroy, SearchState, Selection
from solvers.milp.base import MilpSolver


@final
class Proximity(Destroy):
    """Minimise the distance to the incumbent subject to ``c x <= incumbent's value - theta``; free what moves.

    theta starts at ``step`` times the incumbent's absolute value and is halved whenever nothing is found. ``k`` plays no
    part: the distance is the objective.

    Parameters
    ----------
    solver, seconds
        The back end of the (full-size) ILP and its limit.
    step
        Relative improvement asked for at first.
    distance
        See :func:`solvers.lns.distance.measured`.

    References
    ----------
    M. Fischetti, M. Monaci: Proximity search for 0-1 mixed-integer convex programming. J. Heuristics 20 (2014).
    """

    def __init__(
        self, solver: MilpSolver, seconds: float = 600.0, step: float = 0.01, distance: Distance = "binary"
    ) -> None:
        if not seconds > 0 or not step > 0:
            raise ConfigError(f"destroy.seconds is {seconds} and destroy.step {step}; both must be > 0")
        self.solver = solver
        self.seconds = seconds
        self.step = step
        self.distance = distance

    def prepare(self, problem: ILP, scorer: object = None) -> None:
        self.counted = measured(problem, self.distance)
        self._step = self.step

    def memory(self) -> State:
        return {"step": np.array(self._step)}

    def restore(self, memory: State) -> None:
        self._step = float(memory["step"])

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        problem = state.problem
        theta = max(2 * IMPROVEMENT, self._step * abs(state.objective))
        improving = with_row(problem, problem.c, -np.inf, state.objective - problem.offset - theta)
        coefficients, constant = distance_row(problem, state.incumbent, self.counted)
        solution = self.solver.solve(
            replace(improving, c=coefficients, offset=constant),
            budget=Budget(seconds=min(self.seconds, state.remaining_seconds)),
            rng=np.random.default_rng(int(rng.integers(2**31))),
        )
        if solution.assignment is None:
            self._step /= 2
        return flipped(state, solution.assignment)
