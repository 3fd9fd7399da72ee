"""Repair: the sub-ILP of a neighbourhood, built small, solved, and brought back to the whole problem."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from data.ilp.problem import ILP
from data.ilp.reduce import Reducer, Reduction
from solvers.base import Budget, Status
from solvers.lns.state import SearchState, Selection
from solvers.milp.base import MilpSolver

CUTOFF_SLACK = 1e-8
"""The sub-ILP admits what is worse than the incumbent, or than the level of the acceptance rule, by this at most
(docs/papers/lb_relax.md#3.1)."""


@dataclass(frozen=True)
class Repaired:
    """Outcome of one sub-ILP.

    Parameters
    ----------
    status
        A :class:`Status` of the sub-ILP, ``skipped`` when none was solved, or ``rejected`` when the problem itself
        refused what the solver returned.
    assignment, objective
        (n,) feasible assignment of the whole problem and its value as a minimisation; None and inf without one.
    seconds
        Spent inside the back end.
    """

    status: str
    assignment: np.ndarray | None = None
    objective: float = np.inf
    seconds: float = 0.0


class Repair:
    """Solves sub-ILPs of one problem at a time.

    Parameters
    ----------
    solver
        The back end.
    seconds
        Limit of one sub-ILP (None: only the budget); the last one of a search gets what is left.
    reduce
        Remove fixed columns and the rows they decide before the back end sees the sub-ILP; otherwise only tighten
        bounds, as a copy of the whole model would.
    mip_start
        Hand the incumbent to the back end next to the cut-off. Back ends return a start that is optimal, so this excludes
        moves to other assignments of equal value.
    nodes
        Limit of one sub-ILP in the back end's evaluations, which does not depend on the machine.
    """

    def __init__(
        self,
        solver: MilpSolver,
        seconds: float | None = 120.0,
        reduce: bool = True,
        mip_start: bool = False,
        nodes: int | None = None,
    ) -> None:
        self.solver = solver
        self.seconds = np.inf if seconds is None else float(seconds)
        self.nodes = nodes
        self.reduce = reduce
        self.mip_start = mip_start

    def prepare(self, problem: ILP) -> None:
        """Get ready for sub-ILPs of ``problem`` (minimisation form)."""
        self._reducer = Reducer(problem)

    def solve(
        self, state: SearchState, selection: Selection, rng: np.random.Generator, level: float = -np.inf
    ) -> Repaired:
        """The best assignment of the neighbourhood that the limit allows; one draw of ``rng`` seeds the back end.

        The cut-off admits what is not worse than the incumbent, and whatever is not above ``level``.
        """
        seed = int(rng.integers(2**31))
        known = self.checked(state.problem, selection.solution)
        seconds = min(self.seconds, state.remaining_seconds)
        sub = self._sub_problem(state, selection) if selection.repair and seconds > 0 else None
        if sub is None or sub.problem.n == 0:
            return Repaired("skipped", *known)
        start = state.incumbent if known[0] is None else known[0]
        cutoff = min(max(state.objective, level), known[1]) + CUTOFF_SLACK
        began = time.monotonic()
        solution = self.solver.solve(
            sub.problem,
            budget=Budget(seconds=seconds, evaluations=self.nodes),
            initial=self._mip_start(sub, start),
            cutoff=cutoff if np.isfinite(cutoff) else None,
            rng=np.random.default_rng(seed),
        )
        spent = time.monotonic() - began
        if solution.assignment is None:
            return Repaired(solution.status, *known, seconds=spent)
        found = self.checked(state.problem, sub.lift(solution.assignment))
        if found[0] is None:
            return Repaired("rejected", *known, seconds=spent)
        return Repaired(solution.status, *min(found, known, key=lambda pair: pair[1]), seconds=spent)

    def _sub_problem(self, state: SearchState, selection: Selection) -> Reduction:
        if selection.within is not None:
            within = selection.within
            return Reducer(within).reduce(within.lb == within.ub, within.lb)
        fixed = state.problem.integer & ~selection.free
        if self.reduce:
            return self._reducer.reduce(fixed, state.incumbent)
        return _bounded(state.problem, fixed, state.incumbent)

    def _mip_start(self, sub: Reduction, assignment: np.ndarray) -> np.ndarray | None:
        restricted = sub.restrict(assignment)
        return restricted if self.mip_start and sub.problem.is_feasible(restricted) else None

    def checked(self, problem: ILP, assignment: np.ndarray | None) -> tuple[np.ndarray | None, float]:
        """(n,) with exact integers, re-checked by the problem; continuous variables are recomputed where that fails."""
        if assignment is None:
            return None, np.inf
        rounded = np.where(problem.integer, np.rint(assignment), assignment)
        x = rounded if problem.is_feasible(rounded) else self._recomputed(problem, rounded)
        return (None, np.inf) if x is None else (x, problem.objective(x))

    def _recomputed(self, problem: ILP, x: np.ndarray) -> np.ndarray | None:
        """Best continuous part for the integers of ``x``, if there is one."""
        outside = (x < problem.lb) | (x > problem.ub)
        if problem.integer.all() or outside[problem.integer].any():
            return None
        reduction = self._reducer.reduce(problem.integer, x)
        budget = Budget(seconds=min(self.seconds, 60.0))
        solution = self.solver.solve(reduction.problem, budget=budget, rng=np.random.default_rng(0))
        if solution.status is not Status.OPTIMAL or solution.assignment is None:
            return None
        lifted = reduction.lift(solution.assignment)
        return lifted if problem.is_feasible(lifted) else None


def _bounded(problem: ILP, fixed: np.ndarray, values: np.ndarray) -> Reduction:
    """The whole problem with the ``fixed`` variables' bounds closed; nothing is removed."""
    closed = replace(problem, lb=np.where(fixed, values, problem.lb), ub=np.where(fixed, values, problem.ub))
    return Reduction(closed, np.arange(problem.n), np.arange(problem.m), np.zeros(problem.n))
