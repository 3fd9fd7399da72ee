"""Random search: what any other method must beat at equal evaluations."""

from __future__ import annotations

import numpy as np

from runs.errors import at_least
from solvers.gradient_free.method import Method
from solvers.gradient_free.space import Point, Space


class RandomSearch(Method):
    """Samples of the space, one independent of the other.

    Parameters
    ----------
    batch
        Points that are evaluated together.

    Raises
    ------
    ConfigError
        ``batch`` is below 1.
    """

    def __init__(self, batch: int = 32) -> None:
        at_least("solver.method.", batch=(batch, 1))
        self.batch = batch

    def ask(self, space: Space, rng: np.random.Generator) -> list[Point]:
        return [space.sample(rng) for _ in range(self.batch)]
