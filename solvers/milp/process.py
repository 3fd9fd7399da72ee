"""Any back end in a child process, with hard limits on time and memory.

The child is a fresh interpreter (a SCIP model does not survive a fork). Every incumbent it finds is sent at once, so its
best so far is here whatever becomes of it. It dies with its parent.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np

from data.ilp.problem import ILP
from runs import child, interrupt
from runs.errors import ConfigError, RepriseError, SolverFailure
from runs.record.checkpoint import Checkpoint
from solvers.base import BrokenOff, Budget, Solution, Status
from solvers.milp.base import MilpSolver, OnIncumbent
from solvers.milp.incumbent import Incumbent

_POLL_SECONDS = 0.05
_MESSAGES = logging.getLogger(__name__)


class ChildProcess:
    """Runs another back end in a child process; see :class:`solvers.milp.base.MilpSolver`.

    Starting the child takes about half a second, which counts. While the child is stopped (SIGSTOP) the clock stands still.

    Parameters
    ----------
    solver
        The back end.
    memory_gib
        Limit on the child's address space; None for no limit.
    grace_seconds
        What the child may take beyond the budget, or after a signal, before it is killed.

    Raises
    ------
    ConfigError
        A limit is not positive.
    """

    def __init__(self, solver: MilpSolver, memory_gib: float | None = None, grace_seconds: float = 0.25) -> None:
        if memory_gib is not None and not memory_gib > 0:
            raise ConfigError(f"memory_gib is {memory_gib}; it must be a positive number, or null for no limit")
        if not grace_seconds >= 0:
            raise ConfigError(f"grace_seconds is {grace_seconds}; it must be a number >= 0")
        self.solver = solver
        self.memory_gib = memory_gib
        self.grace_seconds = grace_seconds

    def solve(
        self,
        problem: ILP,
        *,
        budget: Budget,
        scorer: object = None,
        initial: np.ndarray | None = None,
        cutoff: float | None = None,
        rng: np.random.Generator,
        on_incumbent: OnIncumbent | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Solve in the child.

        Raises
        ------
        BrokenOff, SolverFailure
            The child crashed, was killed, or ran out of memory, after or before it had found something; names the signal or
            the exit code.
        """
        incumbent = Incumbent(problem, budget, initial, cutoff, on_incumbent, checkpoint)
        seed = int(rng.integers(2**63 - 1))
        deadline = math.inf if budget.seconds is None else time.monotonic() + incumbent.meter.remaining_seconds
        rest = replace(budget, evaluations=incumbent.evaluations_left)
        job = _Job(self.solver, problem, rest, deadline, incumbent.start, cutoff, seed)
        limits = child.Limits(memory_bytes=None if self.memory_gib is None else int(self.memory_gib * 2**30))
        with interrupt.watch():
            if incumbent.meter.exhausted:
                return incumbent.solution(Status.INTERRUPTED if interrupt.requested() else Status.NO_SOLUTION)
            with child.serving(serve, limits=limits, environment=os.environ | child.ONE_THREAD) as (
                process,
                connection,
            ):
                with contextlib.suppress(BrokenPipeError):  # a child that is dead already is noticed when it is heard
                    connection.send(job)
                return self._listen(process, connection, incumbent)

    def _listen(self, process: child.Command, connection: Connection, incumbent: Incumbent) -> Solution:
        meter = incumbent.meter
        began = looked_at = meter.seconds
        signalled_at: float | None = None
        told = False
        while True:
            incumbent.keep()
            if process.stopped:
                meter.skip(meter.seconds - looked_at)
                if not told:
                    _MESSAGES.warning(
                        "%s: process %d, its solver, is stopped; waiting", incumbent.problem.name, process.pid
                    )
                told = True
            looked_at = meter.seconds
            if interrupt.requested() and signalled_at is None:
                signalled_at = meter.seconds
                process.send(signal.SIGTERM)
            patience = 2 * self.grace_seconds if meter.budget.seconds is None else self.grace_seconds
            over = meter.budget.seconds is not None and meter.seconds > meter.budget.seconds + self.grace_seconds
            if over or (signalled_at is not None and meter.seconds > signalled_at + patience):
                return incumbent.solution(Status.INTERRUPTED if interrupt.requested() else Status.NO_SOLUTION)
            try:
                if not connection.poll(_POLL_SECONDS):
                    continue
                message = connection.recv()
            except (EOFError, OSError):
                return self._failed(f"the child process died of {child.cause(process.wait() or 0)}", incumbent)
            if isinstance(message, _Found):
                meter.catch_up(began + message.seconds)
                incumbent.offer(message.x)
            elif isinstance(message, Solution):
                meter.catch_up(began + (message.trace.seconds[-1] if len(message.trace) else 0.0))
                return self._answer(message, incumbent)
            elif isinstance(message, SolverFailure):
                return self._failed(message.cause if isinstance(message, BrokenOff) else str(message), incumbent)
            else:
                raise message

    def _answer(self, solution: Solution, incumbent: Incumbent) -> Solution:
        if solution.assignment is not None:
            incumbent.offer(solution.assignment)
        status = solution.status
        if status == Status.INTERRUPTED and not interrupt.requested():
            return self._failed("a signal asked the child process to stop", incumbent)
        if status == Status.NO_SOLUTION and interrupt.requested():
            status = Status.INTERRUPTED
        bound = solution.trace.bound[-1] if len(solution.trace) else math.nan
        return incumbent.solution(status, bound, solution.trace.evaluations[-1] if len(solution.trace) else 0)

    def _failed(self, cause: str, incumbent: Incumbent) -> Solution:
        limit = "" if self.memory_gib is None else f" (its memory limit is {self.memory_gib:g} GiB)"
        return incumbent.broken_off(f"{type(self.solver).__name__} on {incumbent.problem.name}: {cause}{limit}")


@dataclass(frozen=True)
class _Job:
    solver: MilpSolver
    problem: ILP
    budget: Budget
    deadline: float  # on the monotone clock, which all processes of a machine share
    initial: np.ndarray | None
    cutoff: float | None
    seed: int


class _Found(NamedTuple):
    """An incumbent of the child."""

    seconds: float  # on the child's clock
    x: np.ndarray


def serve(connection: Connection) -> None:
    """Entry point of the child: solve the job that comes through the pipe, send incumbents and the answer."""
    with interrupt.watch():
        job: _Job = connection.recv()
        seconds = None if math.isinf(job.deadline) else max(0.0, job.deadline - time.monotonic())
        try:
            answer: Solution | Exception = job.solver.solve(
                job.problem,
                budget=replace(job.budget, seconds=seconds),
                initial=job.initial,
                cutoff=job.cutoff,
                rng=np.random.default_rng(job.seed),
                on_incumbent=lambda seconds, x, objective: connection.send(_Found(seconds, x)),
            )
        except RepriseError as error:
            answer = error
        except MemoryError:
            answer = SolverFailure("out of memory")
        connection.send(answer)
    os._exit(0)  # a native thread that overran must not hold up the end
