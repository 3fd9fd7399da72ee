"""Local branching as a teacher: good sets of variables, near copies that are bad (docs/papers/cl_lns.md#2.1, #2.2)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from data.ilp.expert.record import ExpertRecord, ExpertStep, VariableSets
from data.ilp.problem import ILP
from runs import interrupt
from runs.anytime import primal_gap
from runs.errors import ConfigError, InvalidProblem
from solvers.base import Budget, Solution, Solver, Status
from solvers.lns.destroy.local_branching import LocalBranching, flipped
from solvers.lns.improvement import IMPROVEMENT
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.repair import Repair
from solvers.lns.state import SearchState, Selection
from solvers.milp.root_features import RowKind, check_rows, root_node


@dataclass(frozen=True)
class Perturbation:
    """How the best set is spoilt until freeing it is worth little.

    Parameters
    ----------
    kind
        ``hard``: exchange r random members for r random others, r = ``step``, 2 ``step``, ... < abs(A*) - 1, the few
        first. ``random``: draw all members anew.
    step
        Members exchanged at first, and by how many more each time.
    limit
        Bad sets per incumbent, and draws per r.
    misses
        Draws in a row that turned out too good before the next r.
    share
        A set is bad when it gains less than this share of I*.

    Raises
    ------
    ConfigError
        A setting is outside its range.
    """

    kind: Literal["hard", "random"] = "hard"
    step: int = 5
    limit: int = 90
    misses: int = 10
    share: float = 0.05

    def __post_init__(self) -> None:
        if self.kind not in ("hard", "random"):
            raise ConfigError(f"collector.perturbation.kind is '{self.kind}'; choose 'hard' or 'random'")
        for key in ("step", "limit", "misses"):
            if getattr(self, key) < 1:
                raise ConfigError(f"collector.perturbation.{key} is {getattr(self, key)}; it must be at least 1")
        if not 0 < self.share <= 1:
            raise ConfigError(f"collector.perturbation.share is {self.share}; it must lie in (0, 1]")

    def sizes(self, members: int) -> range:
        """The numbers r of members to exchange in a set of so many."""
        return range(members, members + 1) if self.kind == "random" else range(self.step, members - 1, self.step)


class LocalBranchingExpert:
    """Follows local branching from incumbent to incumbent and labels sets of variables on the way.

    Each step solves the full ILP within distance ``size`` of the incumbent. Every improving solution gives a good set: the
    integer variables it changes. The best set is spoilt by ``perturbation``, and each spoilt set's sub-ILP is solved.

    Parameters
    ----------
    local_branching
        With the full-size ILP's back end and its limits.
    repair
        For the sub-ILPs, with their limits.
    start
        Finds the first incumbent. It should be locally good: from a trivial one a few right variables already give more
        than 5 % of I*, and no set is bad.
    start_budget
        ``seconds`` and ``evaluations`` of ``start``.
    size
        k, the radius of local branching.
    steps
        Longest trajectory.
    perturbation
        Makes the bad sets.
    relaxation
        Also solve the LP relaxation of local branching at each incumbent, for feature set ``gasse_khalil_lb_relax``.
    lp_seconds, lp_algorithm, lp_rows
        Of the root LP, see :func:`solvers.milp.root_features.root_node`.
    seed
        With the instance's index and the number of the step it determines all random numbers.

    Raises
    ------
    ConfigError
        A setting is outside its range.
    """

    def __init__(
        self,
        local_branching: LocalBranching,
        repair: Repair,
        start: Solver,
        start_budget: dict[str, Any],
        size: int = 50,
        steps: int = 30,
        perturbation: Perturbation | None = None,
        relaxation: LocalBranchingLP | None = None,
        lp_seconds: float = 300.0,
        lp_algorithm: str = "auto",
        lp_rows: RowKind = "constraints",
        seed: int = 0,
    ) -> None:
        for key, value in (("size", size), ("steps", steps)):
            if value < 1:
                raise ConfigError(f"collector.{key} is {value}; it must be at least 1")
        self.local_branching, self.repair = local_branching, repair
        self.start, self.start_budget = start, Budget(**start_budget)
        self.size, self.steps = size, steps
        self.perturbation = perturbation or Perturbation()
        self.relaxation = relaxation
        check_rows(lp_rows, "collector.lp_rows")
        self.lp_seconds, self.lp_algorithm, self.lp_rows = lp_seconds, lp_algorithm, lp_rows
        self.seed = seed

    def records(self, problem: ILP, index: int, record: ExpertRecord | None = None) -> Iterator[ExpertRecord]:
        """The record after the start and after every step, continued from ``record``; the last one has an ``end``.

        Raises
        ------
        ConfigError
            k does not fit the problem.
        InvalidProblem
            The problem is infeasible, unbounded or without integer variables, or has no incumbent or root LP in time.
        Interrupted
            A signal came; what was yielded is whole.
        """
        minimisation = problem.to_min()
        candidates = self._candidates(minimisation)
        if record is None:
            record = self._begun(problem, index)
            yield record
        self.local_branching.prepare(minimisation)
        self.repair.prepare(minimisation)
        while not record.end:
            record = self._advanced(record, minimisation, candidates, self._rng(index, 1 + len(record.steps)))
            yield record

    def _candidates(self, problem: ILP) -> np.ndarray:
        """(I,) int, the integer variables with a choice."""
        candidates = np.flatnonzero(problem.integer & (problem.lb < problem.ub))
        if not len(candidates):
            raise InvalidProblem(f"{problem.name}: no integer variable has a choice, so there is no set to learn")
        if self.size > len(candidates):
            raise ConfigError(
                f"collector.size is {self.size}, but {problem.name} has {len(candidates)} integer variables with a choice; "
                "lower it"
            )
        return candidates

    def _begun(self, problem: ILP, index: int) -> ExpertRecord:
        """Root LP and first incumbent."""
        root = root_node(problem.to_min(), self.lp_seconds, self.lp_algorithm, self.lp_rows)
        solution = self.start.solve(problem, budget=self.start_budget, rng=self._rng(index, 0))
        interrupt.check()
        x = solution.assignment
        if solution.status in (Status.INFEASIBLE, Status.UNBOUNDED):
            raise InvalidProblem(f"{problem.name} is {solution.status}; leave it out")
        if x is None:
            budget = ", ".join(f"{key}={value}" for key, value in vars(self.start_budget).items() if value is not None)
            raise InvalidProblem(
                f"{problem.name}: no incumbent within the initial limit ({budget}); raise collector.start_budget"
            )
        integral = np.where(problem.integer, np.rint(x), x)
        return ExpertRecord(problem.name, problem.fingerprint, root.lp, integral, rows=root.rows)

    def _advanced(
        self, record: ExpertRecord, problem: ILP, candidates: np.ndarray, rng: np.random.Generator
    ) -> ExpertRecord:
        """The record after one step, or with the reason to stop."""
        if len(record.steps) == self.steps:
            return replace(record, end="steps")
        state = SearchState(problem, candidates, record.incumbent, problem.objective(record.incumbent))
        good, solution, seconds = self._improvements(state, rng)
        if not good:
            return replace(record, end="no_improvement")
        best = flipped(state, solution.assignment)
        proved = solution.status is Status.OPTIMAL  # then no repair with A* free is better
        following = self.repair.solve(state, replace(best, repair=not proved), rng)
        began = time.monotonic()
        spoilt = self._spoilt(state, np.flatnonzero(best.free), max(gain for _, gain, _ in good), rng)
        step = ExpertStep(
            record.incumbent,
            VariableSets.of([*good, *spoilt]),
            float(primal_gap(solution.objective, solution.trace.bound[-1])),
            seconds,
            time.monotonic() - began,
            self._relaxed(state),
        )
        interrupt.check()
        assert following.assignment is not None  # at least local branching's own
        return record.followed_by(step, following.assignment)

    def _improvements(
        self, state: SearchState, rng: np.random.Generator
    ) -> tuple[list[tuple[np.ndarray, float, int]], Solution, float]:
        """What each improving solution of local branching changes, its last solution, and its seconds."""
        good: list[tuple[np.ndarray, float, int]] = []

        def label(seconds: float, assignment: np.ndarray, objective: float) -> None:
            changed = np.flatnonzero(flipped(state, assignment).free)
            if state.objective - objective > IMPROVEMENT and len(changed):
                good.append((changed, state.objective - objective, 0))

        began = time.monotonic()
        solution = self.local_branching.best_within(state, self.size, rng, label)
        interrupt.check()
        return good, solution, time.monotonic() - began

    def _spoilt(
        self, state: SearchState, best: np.ndarray, gain: float, rng: np.random.Generator
    ) -> list[tuple[np.ndarray, float, int]]:
        """Perturbed copies of ``best``, whether bad or not, with what they gain; undecided ones are left out."""
        perturbation, found, bad = self.perturbation, [], 0
        others = np.setdiff1d(state.candidates, best)
        for swaps in perturbation.sizes(len(best)):
            misses = 0
            for _ in range(perturbation.limit):
                if bad == perturbation.limit or misses == perturbation.misses:
                    break
                members = _swapped(best, others, swaps, rng)
                value = self._gain(state, members, rng)
                good = value is None or value >= perturbation.share * gain
                bad, misses = (bad, misses + 1) if good else (bad + 1, 0)
                if value is not None:
                    found.append((members, value, swaps))
        return found

    def _gain(self, state: SearchState, members: np.ndarray, rng: np.random.Generator) -> float | None:
        """Improvement with ``members`` free; None where the limit came before an improvement or the proof of none."""
        repaired = self.repair.solve(state, Selection.of(state, members), rng)
        interrupt.check()
        gain = 0.0 if repaired.assignment is None else state.objective - repaired.objective
        if gain > IMPROVEMENT:
            return gain
        return 0.0 if repaired.status in (Status.OPTIMAL, Status.INFEASIBLE, "skipped") else None

    def _relaxed(self, state: SearchState) -> np.ndarray | None:
        if self.relaxation is None:
            return None
        self.relaxation.prepare(state.problem)  # afresh, so that a continued record sees the same vertices
        relaxed = self.relaxation.relax(state, self.size)
        interrupt.check()
        if relaxed is None:
            raise InvalidProblem(f"{state.problem.name}: no LP relaxation of local branching within its limit")
        return relaxed.x

    def _rng(self, index: int, step: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, index, step])


def _swapped(best: np.ndarray, others: np.ndarray, swaps: int, rng: np.random.Generator) -> np.ndarray:
    """``best`` (s,) less ``swaps`` random members, plus as many random ``others``, ascending."""
    kept = rng.choice(best, len(best) - swaps, replace=False)
    added = rng.choice(others, min(swaps, len(others)), replace=False)
    return np.sort(np.concatenate([kept, added]))
