"""Sequences in an order, each from the unoptimised module, until the budget is spent (docs/papers/pass_order.md#3.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from data.compiler.base import Actions, Compiler, Trajectory
from data.compiler.program import Program
from runs import interrupt
from runs.anytime import Trace
from runs.errors import ConfigError
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution, Status

_MESSAGES = logging.getLogger(__name__)

Scorer = Callable[[Program], Float[np.ndarray, " sequences"]]
"""What a program makes one expect of each sequence: the highest comes first."""


class Replay:
    """Replays a coreset on a program.

    A pass is an evaluation each time it is applied, shared beginnings included, and so is one that fails. The last sequence
    is cut where the budget ends.

    Parameters
    ----------
    compiler
        Applies passes.
    sequences
        In the order that holds without a scorer.

    Raises
    ------
    ConfigError
        There is no sequence.
    """

    def __init__(self, compiler: Compiler, sequences: Sequence[Actions]) -> None:
        if not sequences:
            raise ConfigError("replay: there is no sequence; give a coreset")
        self.compiler, self.sequences = compiler, list(sequences)
        self._told = False

    def solve(
        self,
        problem: Program,
        *,
        budget: Budget,
        scorer: Scorer | None = None,
        initial: np.ndarray | None = None,
        rng: np.random.Generator | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """The smallest module seen, as the passes that lead to it, (passes,) int64; ``initial`` and ``rng`` are not needed.

        Raises
        ------
        InvalidProblem
            The compiler cannot read the program.
        """
        self._warn(budget)
        meter = budget.start()
        order = ranked(scorer(problem)) if scorer else range(len(self.sequences))
        best: Actions = ()
        least = self.compiler.load(problem.bitcode, problem.name).count()
        trace = Trace()
        trace.record(meter.seconds, 0, least)
        with interrupt.watch():
            for s in order:
                if meter.exhausted:
                    break
                sequence = self.sequences[s]
                if meter.remaining_evaluations < len(sequence):
                    sequence = sequence[: int(meter.remaining_evaluations)]
                found = problem.trajectory(self.compiler, sequence)
                for step, count in enumerate(found.counts):
                    if count < least:
                        best, least = sequence[:step], count
                        trace.record(meter.seconds, meter.evaluations + step, least)
                meter.evaluations += applied(found)
            trace.record(meter.seconds, meter.evaluations, least)
            status = Status.INTERRUPTED if interrupt.requested() else Status.FEASIBLE
        objective = problem.objective(self.compiler, best)
        return Solution(np.array(best, np.int64), float(objective), True, status, trace)

    def _warn(self, budget: Budget) -> None:
        if not self._told and not binds(self.sequences, budget.evaluations):
            self._told = True
            _MESSAGES.warning(
                "the %d sequences have %d passes, which the budget of %s covers: every order of them gives the same",
                len(self.sequences),
                sum(map(len, self.sequences)),
                budget.evaluations,
            )


def binds(sequences: Sequence[Actions], budget: int | None) -> bool:
    """Whether a budget leaves passes out, so that it matters which come first."""
    return budget is not None and sum(map(len, sequences)) > budget


def ranked(scores: Float[np.ndarray, " sequences"]) -> Int[np.ndarray, " sequences"]:
    """The highest score first, of equal ones the first."""
    return np.argsort(-np.asarray(scores, float), kind="stable")


def applied(trajectory: Trajectory) -> int:
    """Passes that were applied, one that failed included."""
    return len(trajectory.counts) - 1 + (trajectory.failure is not None)


def curve(trajectories: Sequence[Trajectory], order: Sequence[int], budget: int) -> Int[np.ndarray, " budget+1"]:
    """Least counts after 0, 1, ... ``budget`` passes of a replay, from trajectories that are known.

    Parameters
    ----------
    trajectories
        Of each sequence on one program.
    order
        Indices into them.
    budget
        Passes.
    """
    seen = np.full(budget + 1, trajectories[0].counts[0], np.int64)
    place = 0
    for s in order:
        counts = trajectories[s].counts[1 : budget - place + 1]
        seen[place + 1 : place + 1 + len(counts)] = counts
        place += applied(trajectories[s])
        if place >= budget:
            break
    return np.minimum.accumulate(seen)
