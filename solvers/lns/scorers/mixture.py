"""Two scorers, mixed on a common scale (docs/papers/cl_lns.md#7.3)."""

from __future__ import annotations

import time

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError
from solvers.lns.destroy.scored import PreparedScorer, Scorer, as_numpy


class Mixture:
    """Score lambda z(first) + (1 - lambda) z(second), z the standard score over the variables that can be freed.

    Parameters
    ----------
    first, second
        The scorers; one that scores all variables alike has z = 0.
    weight
        lambda in [0, 1].

    Raises
    ------
    ConfigError
        ``weight`` lies outside [0, 1].
    """

    def __init__(self, first: Scorer, second: Scorer, weight: float = 0.5) -> None:
        if not 0 <= weight <= 1:
            raise ConfigError(f"scorer.weight is {weight}; lambda must lie in [0, 1]")
        self.parts = ((weight, first), (1 - weight, second))

    def prepare(self, problem: ILP, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for _, scorer in self.parts:
            if isinstance(scorer, PreparedScorer):
                scorer.prepare(problem, max(0.0, deadline - time.monotonic()))

    def scores(self, problem: ILP, incumbent: np.ndarray, history: tuple[np.ndarray, ...]) -> np.ndarray:
        counted = problem.integer & (problem.lb < problem.ub)
        total = np.zeros(problem.n)
        for weight, scorer in self.parts:
            total += weight * standardized(as_numpy(scorer.scores(problem, incumbent, history)), counted)
        return total


def standardized(scores: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(n,) scores with mean 0 and standard deviation 1 over ``counted`` (n,); 0 where those are all equal."""
    spread = scores[counted].std()
    return (scores - scores[counted].mean()) / spread if spread > 0 else np.zeros(len(scores))
