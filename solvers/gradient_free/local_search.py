"""Local search: to the best of some neighbours while that is better, then from somewhere else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs.errors import at_least
from runs.record.checkpoint import State
from solvers.gradient_free.method import Method
from solvers.gradient_free.space import Point, Space


class LocalSearch(Method):
    """Descent over random neighbours, with restarts.

    Parameters
    ----------
    neighbours
        Of the current point, drawn and evaluated together.
    patience
        Batches without a better neighbour after which the search goes on from a new sample; None for never.

    Raises
    ------
    ConfigError
        A setting is below 1.
    """

    def __init__(self, neighbours: int = 32, patience: int | None = 20) -> None:
        at_least("solver.method.", neighbours=(neighbours, 1), patience=(patience, 1))
        self.neighbours, self.patience = neighbours, patience
        self._point, self._value, self._failures = np.empty(0), np.inf, 0

    def begin(self, point: Point, value: float) -> None:
        self._point, self._value, self._failures = point, value, 0

    def ask(self, space: Space, rng: np.random.Generator) -> list[Point]:
        if self.patience is not None and self._failures >= self.patience:
            self._value, self._failures = np.inf, 0
            return [space.sample(rng)]
        return [space.neighbour(self._point, rng) for _ in range(self.neighbours)]

    def tell(
        self,
        points: Sequence[Point],
        values: Float[np.ndarray, " points"],
        progress: float,
        rng: np.random.Generator,
    ) -> None:
        best = int(np.argmin(values))
        if values[best] < self._value or self._value == np.inf:
            self.begin(points[best], float(values[best]))
        else:
            self._failures += 1

    def memory(self) -> State:
        return {"point": self._point, "value": np.array(self._value), "failures": np.array(self._failures)}

    def restore(self, memory: State) -> None:
        self._point, self._value = memory["point"], float(memory["value"])
        self._failures = int(memory["failures"])
