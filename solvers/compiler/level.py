"""The compiler's own levels of optimisation, as solvers: what everything else is compared with."""

from __future__ import annotations

import numpy as np

from data.compiler.problem import PassOrdering
from runs.anytime import Trace
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.compiler.replay import solution


class Level:
    """Applies one of the compiler's own levels, which costs no application of a pass.

    Parameters
    ----------
    name
        For example ``O3``; None: the level of size.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def solve(
        self,
        problem: PassOrdering,
        *,
        budget: Budget,
        scorer: object = None,
        initial: np.ndarray | None = None,
        rng: np.random.Generator | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """The level as an assignment, see :meth:`data.compiler.problem.PassOrdering.level`.

        Raises
        ------
        ConfigError
            The compiler has no such level.
        InvalidProblem
            The level fails on the program.
        """
        meter = budget.start()
        found = problem.level(self.name)
        trace = Trace()
        trace.record(meter.seconds, 0, problem.objective(found))
        return solution(problem, found.tolist(), trace)
