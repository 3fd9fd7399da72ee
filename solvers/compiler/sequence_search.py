"""Any gradient-free method as a search for one program's own sequence (docs/papers/pass_order.md#4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.compiler.problem import PassOrdering
from runs.errors import at_least
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.compiler.replay import solution
from solvers.compiler.sequences import LeastCount, PassSequences, known_sequences
from solvers.gradient_free.from_several import FromSeveral
from solvers.gradient_free.method import Method
from solvers.gradient_free.search import GradientFreeSearch


class SequenceSearch:
    """Searches sequences of a program; a pass is an evaluation each time it is applied.

    Parameters
    ----------
    method
        For example :class:`solvers.gradient_free.local_search.LocalSearch`.
    longest
        Passes of a sequence.
    starts
        Sequences of actions' names that are tried first; those with an action that the compiler lacks are left out.

    Raises
    ------
    ConfigError
        ``longest`` is below 1.
    """

    def __init__(self, method: Method, longest: int = 15, starts: Sequence[Sequence[str]] = ()) -> None:
        at_least("solver.", longest=(longest, 1))
        self.method, self.longest, self.starts = method, longest, starts

    def solve(
        self,
        problem: PassOrdering,
        *,
        budget: Budget,
        scorer: object = None,
        initial: np.ndarray | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """The best sequence found, up to its least count; none is worse than the unoptimised module."""
        longest = min(self.longest, budget.evaluations or self.longest)
        space = PassSequences(len(problem.compiler.actions), longest)
        objective = LeastCount(problem.program, problem.compiler)
        starts = known_sequences(self.starts, problem.compiler) if initial is None else [initial]
        search = GradientFreeSearch(space, objective, FromSeveral(self.method, starts[1:]), budget, rng)
        if budget.evaluations != 0:
            search.run(starts[0] if starts else None, checkpoint)
        trace = objective.trace
        if not len(trace):  # nothing was applied
            trace.record(search.meter.seconds, 0, problem.initial)
        trace.record(search.meter.seconds, search.meter.evaluations, trace.objective[-1])
        return solution(problem, objective.best, trace)
