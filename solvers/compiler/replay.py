"""Sequences in an order, each from the unoptimised module, until the budget is spent (docs/papers/pass_order.md#3.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from data.compiler.base import Actions, Trajectory
from data.compiler.problem import PassOrdering
from data.compiler.program import Program
from runs import interrupt
from runs.anytime import Trace
from runs.errors import ConfigError, at_least
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution, Status

_MESSAGES = logging.getLogger(__name__)

Scorer = Callable[[Program], Float[np.ndarray, " sequences"]]
"""What a program makes one expect of each sequence."""
Order = Callable[[Float[np.ndarray, " sequences"]], Sequence[int] | Int[np.ndarray, " sequences"]]
"""From expectations to the order in which sequences are tried."""


def ranked(scores: Float[np.ndarray, " sequences"]) -> Int[np.ndarray, " sequences"]:
    """The highest score first, of equal ones the first."""
    return np.argsort(-np.asarray(scores, float), kind="stable")


@dataclass(frozen=True)
class Repertoire:
    """What a replay may try, in the order that holds without a scorer.

    Parameters
    ----------
    sequences
        A coreset.
    scorer
        Says for each program which of them to try first; None: they are tried as they stand.
    """

    sequences: tuple[Actions, ...]
    scorer: Scorer | None = None

    def __post_init__(self) -> None:
        if not self.sequences:
            raise ConfigError("replay: there is no sequence; give a coreset")


class Replay:
    """Replays a coreset on a program.

    A pass is an evaluation each time it is applied, shared beginnings included, and so is one that fails. The last sequence
    is cut where the budget ends.

    Parameters
    ----------
    first
        Only so many sequences are tried; None: all.
    order
        What scores are turned into.
    each
        Whether every sequence has the whole budget for itself, which shows what a perfect choice of one would reach.

    Raises
    ------
    ConfigError
        ``first`` is below 1.
    """

    def __init__(self, first: int | None = None, order: Order = ranked, each: bool = False) -> None:
        at_least("solver.", first=(first, 1))
        self.first, self.order, self.each = first, order, each
        self._told = False

    def solve(
        self,
        problem: PassOrdering,
        *,
        budget: Budget,
        scorer: Repertoire,
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
        if scorer.scorer is not None:
            self._warn(scorer.sequences, budget)
        meter = budget.start()
        known = scorer.scorer and self.order(scorer.scorer(problem.program))
        order = [*range(len(scorer.sequences))] if known is None else [int(s) for s in known]
        best: Actions = ()
        least = problem.initial
        trace = Trace()
        trace.record(meter.seconds, 0, least)
        with interrupt.watch():
            for s in order[: self.first]:
                if interrupt.requested() or (meter.exhausted and not self.each):
                    break
                left = budget.evaluations if self.each else meter.remaining_evaluations
                sequence = scorer.sequences[s]
                if left is not None and left < len(sequence):
                    sequence = sequence[: int(left)]
                found = problem.trajectory(sequence)
                for step, count in enumerate(found.counts):
                    if count < least:
                        best, least = sequence[:step], count
                        trace.record(meter.seconds, meter.evaluations + step, least)
                meter.evaluations += found.applied
            trace.record(meter.seconds, meter.evaluations, least)
        return solution(problem, best, trace)

    @property
    def ordered(self) -> bool:
        """Whether it matters which sequences come first, if the budget does not cover them all."""
        return self.first is None and not self.each

    def _warn(self, sequences: Sequence[Actions], budget: Budget) -> None:
        if not self._told and self.ordered and budget.evaluations and not binds(sequences, budget.evaluations):
            self._told = True
            _MESSAGES.warning(
                "the %d sequences have %d passes, which the budget of %s covers: every order of them gives the same",
                len(sequences),
                sum(map(len, sequences)),
                budget.evaluations,
            )


def solution(problem: PassOrdering, passes: Sequence[int], trace: Trace, log: Any = None) -> Solution:
    """An answer, as the problem sees it."""
    assignment = np.array(passes, np.int64)
    status = Status.INTERRUPTED if interrupt.requested() else Status.FEASIBLE
    return Solution(assignment, float(problem.objective(assignment)), True, status, trace, log or {})


def binds(sequences: Sequence[Actions], budget: int | None) -> bool:
    """Whether a budget leaves passes out, so that it matters which come first."""
    return budget is not None and sum(map(len, sequences)) > budget


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
        place += trajectories[s].applied
        if place >= budget:
            break
    return np.minimum.accumulate(seen)
