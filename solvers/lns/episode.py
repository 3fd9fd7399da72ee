"""LNS on one problem as an environment: actions free variables, gains are rewards (docs/papers/cl_lns.md#7.2)."""

from __future__ import annotations

import numpy as np

from data.ilp.problem import ILP
from data.ilp.rollout_state import LONGEST_HISTORY, solution_columns
from runs.errors import InvalidProblem
from solvers.lns.repair import Repair
from solvers.lns.state import SearchState, Selection


class Episode:
    """One assignment after the other, from an initial one; the sub-ILP's result is taken even when it is worse.

    Parameters
    ----------
    problem
        A minimisation with an integer variable that its bounds leave free.
    initial
        (n,) feasible assignment.
    repair
        Solves the sub-ILPs, without a cut-off; its limit is the step's.

    Attributes
    ----------
    first, best, objective
        Value of the initial solution, of the best one and of the current one.
    unit
        Norm of ``c`` (1 if that is 0), in which rewards are counted.

    Raises
    ------
    InvalidProblem
        There is nothing to choose, or ``initial`` is infeasible.
    """

    def __init__(self, problem: ILP, initial: np.ndarray, repair: Repair) -> None:
        self.problem, self.repair = problem, repair
        self.candidates = np.flatnonzero(problem.integer & (problem.lb < problem.ub))
        if not len(self.candidates):
            raise InvalidProblem(f"{problem.name}: no integer variable is free between its bounds, so there is no step")
        repair.prepare(problem)
        start, self.objective = repair.checked(problem, initial)
        if start is None:
            raise InvalidProblem(
                f"{problem.name}: the initial solution is infeasible: {problem.worst_violation(initial)[0]}"
            )
        self.first = self.best = self.objective
        self.incumbents = [start]
        self.solutions = [start]
        self.unit = float(np.linalg.norm(problem.c)) or 1.0

    def observation(self) -> np.ndarray:
        """(n, 5) float32, :func:`data.ilp.rollout_state.solution_columns` now."""
        return solution_columns(self.incumbents, self.solutions)

    def step(self, free: np.ndarray, rng: np.random.Generator) -> float:
        """Solve the sub-ILP in which ``free`` (n,) bool are free, and go to its solution if it found one in time.

        Returns
        -------
        float
            Decrease of the objective in units of the norm of ``c``, as the authors' on set covers (on auctions they divide
            by 10,000, which is near that norm).
        """
        state = SearchState(self.problem, self.candidates, self.solutions[0], np.inf)
        repaired = self.repair.solve(state, Selection(free), rng)
        assignment, objective = self.solutions[0], self.objective
        if repaired.assignment is not None:
            assignment, objective = repaired.assignment, repaired.objective
        reward = (self.objective - objective) / self.unit
        self.objective = objective
        self.solutions = [assignment, *self.solutions[:2]]
        if objective < self.best:
            self.best = objective
            self.incumbents = [assignment, *self.incumbents][:LONGEST_HISTORY]
        return reward
