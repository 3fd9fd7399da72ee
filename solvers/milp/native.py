"""Runs a blocking native solver so that signals, the deadline and incumbents are seen while it works.

Signal handlers of Python run in the main thread between byte codes: a native call there would delay them to its end, or to
its next callback. So a solver works in a thread of its own, unless its model is so small that callbacks come all the time.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from runs import clock, interrupt
from runs.errors import RepriseError, SolverFailure
from solvers.base import BrokenOff, Solution, Status
from solvers.milp.incumbent import Incumbent

_PROOFS = (Status.OPTIMAL, Status.INFEASIBLE, Status.UNBOUNDED)
_POLL_SECONDS = 0.05
_GRACE_SECONDS = 0.3


@dataclass(frozen=True)
class Candidate:
    """A solution a native solver found: unchecked, on the clock of the whole solve; ``bound`` in the problem's sense."""

    x: np.ndarray
    seconds: float
    nodes: int = 0
    bound: float = math.nan


@dataclass(frozen=True)
class Outcome:
    """How a native solve ended; ``bound`` in the problem's sense, ``ambiguous``: infeasible or unbounded, unknown which."""

    status: Status
    bound: float = math.nan
    nodes: int = 0
    ambiguous: bool = False


class Native(Protocol):
    """A model inside a native solver."""

    def run(self, report: Callable[[Candidate], None]) -> Outcome:
        """Solve to the end or the limits; called in the worker thread."""
        ...

    def stop(self) -> None:
        """Ask :meth:`run` to end soon; called from another thread, again and again."""
        ...


def solve_native(
    incumbent: Incumbent,
    build: Callable[[], Native],
    solve: Callable[..., Solution] | None = None,
    *,
    here: bool = False,
) -> Solution:
    """Build and run a native model; the answer of a back end.

    Parameters
    ----------
    incumbent
        Collects and checks what the solver finds.
    build
        Makes the model, in the worker thread too: its time is part of the budget.
    solve
        The back end's own, where it may end with "infeasible or unbounded": without an objective it tells which.
    here
        Run in the caller's thread: for a small model that looks at signals and deadline itself. A thread costs up to half
        of the time of a sub-ILP of a few hundred variables.

    Raises
    ------
    BrokenOff, SolverFailure
        The native solver failed, after or before it had found something; the message has its reason.
    """
    if incumbent.problem.n == 0:
        incumbent.offer(np.zeros(0))
        return incumbent.solution(Status.OPTIMAL if incumbent.x is not None else Status.INFEASIBLE, incumbent.objective)
    with interrupt.watch():
        if incumbent.meter.exhausted:
            return incumbent.solution(_stopped())
        try:
            outcome = _run_to_the_end(build, incumbent, here)
            if outcome.ambiguous:
                outcome = _told_apart(incumbent, outcome, solve)
        except SolverFailure as failure:
            return incumbent.broken_off(failure.cause if isinstance(failure, BrokenOff) else str(failure))
        status = outcome.status if outcome.status in _PROOFS else _stopped()
        return incumbent.solution(status, outcome.bound, outcome.nodes)


def _run_to_the_end(build: Callable[[], Native], incumbent: Incumbent, here: bool) -> Outcome:
    """Run the model; once more from the best so far where it ended before its time, by a clock that went on in our sleep."""
    while True:
        slept = clock.slept()
        outcome = _run_here(build, incumbent) if here else _run(build, incumbent) or Outcome(_stopped())
        whole = outcome.status in _PROOFS or outcome.ambiguous or clock.slept() == slept
        if whole or incumbent.meter.exhausted or incumbent.meter.remaining_seconds == math.inf:
            return outcome
        incumbent.restart(outcome.nodes)


def _stopped() -> Status:
    return Status.INTERRUPTED if interrupt.requested() else Status.NO_SOLUTION


def _told_apart(incumbent: Incumbent, outcome: Outcome, solve: Callable[..., Solution] | None) -> Outcome:
    if incumbent.x is not None:
        return Outcome(Status.UNBOUNDED, nodes=outcome.nodes)
    if solve is None or incumbent.meter.exhausted:
        return Outcome(_stopped(), nodes=outcome.nodes)
    problem, budget = incumbent.problem, incumbent.meter.budget
    rest = replace(budget, seconds=None if budget.seconds is None else incumbent.meter.remaining_seconds)
    found = solve(replace(problem, c=np.zeros(problem.n), offset=0.0), budget=rest)
    if found.assignment is None:
        return Outcome(found.status, nodes=outcome.nodes)
    incumbent.offer(found.assignment)
    return Outcome(Status.UNBOUNDED, nodes=outcome.nodes)


def _run_here(build: Callable[[], Native], incumbent: Incumbent) -> Outcome:
    """An error while a candidate is looked at must not unwind through the native callback that brought it."""
    errors: list[BaseException] = []

    def report(candidate: Candidate) -> None:
        try:
            _offer(incumbent, candidate)
        except BaseException as error:
            errors.append(error)
            native.stop()

    try:
        native = build()
        outcome = native.run(report)
    except Exception as error:
        raise _explained(error, incumbent) from error
    if errors:
        raise errors[0]
    return outcome


def _offer(incumbent: Incumbent, candidate: Candidate) -> None:
    incumbent.offer(candidate.x, candidate.seconds, candidate.nodes, candidate.bound)


def _explained(error: BaseException, incumbent: Incumbent) -> BaseException:
    """What the caller gets to see of an error inside a native solver."""
    if isinstance(error, RepriseError) or not isinstance(error, Exception):
        return error
    return SolverFailure(f"the native solver failed on {incumbent.problem.name}: {error}")


def _run(build: Callable[[], Native], incumbent: Incumbent) -> Outcome | None:
    """Pump candidates until the solver ends; None when it did not end within the grace after being asked to."""
    events: queue.SimpleQueue[Candidate | Outcome | BaseException] = queue.SimpleQueue()
    stopping = threading.Event()
    built: list[Native] = []

    def work() -> None:
        try:
            built.append(build())
            events.put(Outcome(Status.NO_SOLUTION) if stopping.is_set() else built[0].run(events.put))
        except BaseException as error:  # carried to the caller's thread
            events.put(error)

    def stop() -> None:
        stopping.set()
        for native in built:
            native.stop()

    # Not a daemon: a solver that outlives its grace must not be torn down with the interpreter under it
    thread = threading.Thread(target=work, name="native solver")
    thread.start()
    asked_at: float | None = None
    try:
        while True:
            incumbent.keep()
            meter = incumbent.meter
            if interrupt.requested() or meter.remaining_seconds <= 0:
                asked_at = meter.seconds if asked_at is None else asked_at
                stop()
                if meter.seconds - asked_at > _GRACE_SECONDS + 0.02 * asked_at:
                    return None
            try:
                event = events.get(timeout=min(_POLL_SECONDS, max(meter.remaining_seconds, 0.005)))
            except queue.Empty:
                continue
            if isinstance(event, Candidate):
                _offer(incumbent, event)
            elif isinstance(event, Outcome):
                thread.join()
                return event
            else:
                raise _explained(event, incumbent)
    except BaseException:
        stop()
        raise
