"""Large neighbourhood search over ILPs: destroy, repair, accept, resize, record (docs/papers/lb_relax.md#3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.ilp.problem import ILP
from runs import interrupt
from runs.errors import ConfigError, InvalidProblem, SolverFailure
from runs.record.checkpoint import Checkpoint, State, prefixed, under
from solvers.base import BrokenOff, Budget, Solution, Solver, Status
from solvers.lns.accept.base import Accept
from solvers.lns.accept.equal import Equal
from solvers.lns.accept.strict import Strict
from solvers.lns.improvement import improves
from solvers.lns.repair import Repair, Repaired
from solvers.lns.search import Search
from solvers.lns.size import NeighborhoodSize
from solvers.lns.state import Destroy, Selection
from solvers.milp.base import MilpSolver


class LargeNeighborhoodSearch:
    """Improve a feasible assignment by re-optimising k of its integer variables at a time.

    One evaluation is one iteration: one sub-ILP, or the proof that none is needed.

    Parameters
    ----------
    destroy
        Chooses the variables to free.
    repair
        The back end that solves the sub-ILPs.
    start
        Finds the initial solution when none is given to :meth:`solve`; its time counts.
    size
        The schedule of k.
    accept
        Says which sub-ILP solutions the search moves to; default :class:`solvers.lns.accept.equal.Equal`.
    repair_seconds
        Limit of one sub-ILP; None: only what is left of the budget.
    repair_nodes
        Limit of one sub-ILP in the back end's evaluations; None: no limit. A sub-ILP that is solved to its optimum is never
        worse than the current assignment: only where a limit stops some of them does a rule that allows a loss matter.
    reduce
        Remove what is fixed before the back end sees a sub-ILP (see :class:`solvers.lns.repair.Repair`).
    mip_start
        Start each sub-ILP from the incumbent, next to the cut-off. None: only with :class:`Strict`, because a back end
        that holds the incumbent does not look for others of equal value (independent sets: 468 instead of 477 after 40
        random neighbourhoods).

    Raises
    ------
    ConfigError
        A setting is outside its range.
    """

    def __init__(
        self,
        destroy: Destroy,
        repair: MilpSolver,
        start: Solver | None = None,
        size: NeighborhoodSize | None = None,
        accept: Accept | None = None,
        repair_seconds: float | None = 120.0,
        reduce: bool = True,
        mip_start: bool | None = None,
        repair_nodes: int | None = None,
    ) -> None:
        if repair_seconds is not None and not repair_seconds > 0:
            raise ConfigError(f"lns.repair_seconds is {repair_seconds}; it must be > 0, or null for no limit")
        if repair_nodes is not None and not repair_nodes > 0:
            raise ConfigError(f"lns.repair_nodes is {repair_nodes}; it must be > 0, or null for no limit")
        if isinstance(accept, str):
            raise ConfigError(f"lns.accept is '{accept}'; a rule is chosen by its file: lns/accept={accept}")
        self.destroy = destroy
        self.start = start
        self.size = size or NeighborhoodSize()
        self.accept = accept or Equal()
        start_from_current = isinstance(accept, Strict) if mip_start is None else mip_start
        self.repair = Repair(repair, repair_seconds, reduce, start_from_current, repair_nodes)

    def solve(
        self,
        problem: ILP,
        *,
        budget: Budget,
        scorer: object = None,
        initial: np.ndarray | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Search ``problem`` until the budget is spent, optimality is proved or a signal asks to stop.

        Parameters
        ----------
        scorer
            Handed to the destroy heuristic (see :class:`solvers.lns.destroy.scored.Scored`).
        initial
            (n,) feasible assignment to start from.
        checkpoint
            Holds the state of an earlier, interrupted call, which is then continued as if nothing had happened; receives
            ours when it is due and when a signal stops us.

        Raises
        ------
        InvalidProblem
            ``initial`` is infeasible (names the worst violated row), or the checkpoint is another problem's.
        ConfigError
            There is no way to start, or the heuristic cannot work on this problem.
        BrokenOff, SolverFailure
            A back end broke down, after or before there was a solution.
        """
        with interrupt.watch():
            search = Search.new(problem, budget, rng)
            if not len(search.candidates):
                return self._solve_whole(problem, budget, rng, initial, checkpoint)
            search.cap = self.size.cap(len(search.candidates))
            self.repair.prepare(search.problem)
            self.destroy.prepare(search.problem, scorer)
            saved = checkpoint.load() if checkpoint else None
            try:
                if saved:
                    memory = search.resume(saved)
                    self.destroy.restore(under("destroy/", memory))
                    self.accept.restore(under("accept/", memory))
                else:
                    self._begin(search, initial)
                self._improve(search, checkpoint)
            except SolverFailure as failure:
                return search.broken_off(failure)
            return search.solution()

    def _improve(self, search: Search, checkpoint: Checkpoint | None) -> None:
        """The loop. An iteration that a signal cuts short enters the answer but not the saved trajectory."""
        while search.status is None and not search.meter.exhausted:
            resume = self._resume_point(search)
            if checkpoint and checkpoint.due():
                checkpoint.save(search.to_arrays(*resume))
            began = search.meter.seconds

            selection = self.destroy.select(search.view(), search.k, search.rng)
            selected = search.meter.seconds
            level = self.accept.level(search.objective, search.best_objective, search.meter.progress, search.rng)
            repaired = self.repair.solve(search.view(), selection, search.rng, level)
            if interrupt.requested():
                _stop(search, checkpoint, resume)
                self._accept(search, repaired, level)
                return
            gain = self._accept(search, repaired, level)
            search.record(selection, repaired, gain, began, selected)
            if not gain:
                search.k = self.size.grown(search.k, len(search.candidates))
            search.status = _verdict(search, selection, repaired)
        if search.status is None and interrupt.requested():
            _stop(search, checkpoint, self._resume_point(search))

    def _accept(self, search: Search, repaired: Repaired, level: float) -> float:
        """Move to the repaired assignment if it is not above the level; returns the best's gain, 0 below the threshold."""
        before = search.best_objective
        if repaired.assignment is not None and repaired.objective <= level:
            search.move(repaired.assignment, repaired.objective)
        self.accept.record(search.objective)
        return before - search.best_objective if improves(search.best_objective, before) else 0.0

    def _resume_point(self, search: Search) -> tuple[Any, State]:
        memory = prefixed("destroy/", self.destroy.memory()) | prefixed("accept/", self.accept.memory())
        return search.rng.bit_generator.state, memory

    def _begin(self, search: Search, initial: np.ndarray | None) -> None:
        """Find and check the initial solution."""
        if initial is not None:
            self._enter(search, initial)
            return
        try:
            first = self._start(search)
        except BrokenOff as failure:
            if failure.solution.assignment is not None:
                self._enter(search, failure.solution.assignment)
            raise
        if first is not None:
            self._enter(search, first)

    def _enter(self, search: Search, initial: np.ndarray) -> None:
        problem = search.original
        if not problem.is_feasible(initial):
            worst, _ = problem.worst_violation(initial)
            raise InvalidProblem(f"{problem.name}: the initial solution is infeasible: {worst}")
        assignment, objective = self.repair.checked(search.problem, initial)
        if assignment is None:
            raise InvalidProblem(
                f"{problem.name}: the initial solution is feasible only with its integers off by up to 1e-6: "
                f"{problem.worst_violation(np.where(problem.integer, np.rint(initial), initial))[0]}"
            )
        search.move(assignment, objective)
        self.accept.begin(objective)
        search.mark()
        search.k = self.size.first(len(search.candidates))

    def _start(self, search: Search) -> np.ndarray | None:
        """The start solver's assignment; its trace becomes the head of ours, its proofs our status."""
        if self.start is None:
            raise ConfigError("lns.start is null and no initial solution was given; set one of them")
        budget = Budget(seconds=search.meter.remaining_seconds)
        offset = search.meter.seconds
        first = self.start.solve(search.original, budget=budget, rng=_child(search.rng))
        for seconds, value in zip(first.trace.seconds, first.trace.objective, strict=True):
            search.trace.record(offset + seconds, 0, value)
        if first.assignment is None or first.status in (Status.OPTIMAL, Status.UNBOUNDED):
            search.status = first.status
        return first.assignment

    def _solve_whole(
        self,
        problem: ILP,
        budget: Budget,
        rng: np.random.Generator,
        initial: np.ndarray | None,
        checkpoint: Checkpoint | None,
    ) -> Solution:
        """Nothing to destroy: every integer variable is fixed by its bounds, or there is none."""
        seconds = np.inf if budget.seconds is None else budget.seconds
        whole = Budget(seconds=seconds)
        return self.repair.solver.solve(problem, budget=whole, initial=initial, rng=rng, checkpoint=checkpoint)


def _stop(search: Search, checkpoint: Checkpoint | None, resume: tuple[Any, State]) -> None:
    search.status = Status.INTERRUPTED
    if checkpoint:
        checkpoint.save(search.to_arrays(*resume))


def _verdict(search: Search, selection: Selection, repaired: Repaired) -> Status | None:
    """A reason to stop: the sub-ILP was unbounded, or it was the whole problem and is solved."""
    if repaired.status == Status.UNBOUNDED:
        return Status.UNBOUNDED
    whole = selection.within is None and bool(selection.free[search.candidates].all())
    solved = repaired.status in (Status.OPTIMAL, Status.INFEASIBLE)  # infeasible: none reaches the cut-off
    return Status.OPTIMAL if whole and solved else None


def _child(rng: np.random.Generator) -> np.random.Generator:
    """A generator seeded by one draw, so that the parent's state stays a complete record."""
    return np.random.default_rng(int(rng.integers(2**31)))
