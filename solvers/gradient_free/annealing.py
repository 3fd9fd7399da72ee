"""A walk over neighbours that may also move to worse points: simulated annealing, or any other rule of acceptance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs.errors import at_least
from runs.record.checkpoint import State, prefixed, under
from solvers.gradient_free.method import Method
from solvers.gradient_free.space import Point, Space
from solvers.lns.accept.base import Accept
from solvers.lns.accept.simulated_annealing import SimulatedAnnealing


class Annealing(Method):
    """One neighbour after the other; the rule of acceptance says to which the walk moves.

    Parameters
    ----------
    accept
        By default a loss of .02 of the first value is accepted with probability 1/2 at first, and one of .0002 in the end.
    batch
        Neighbours that are evaluated together: the walk moves to the first of them that is accepted, and the rest is in
        vain. 1 is the plain walk.

    Raises
    ------
    ConfigError
        ``batch`` is below 1.

    References
    ----------
    Kirkpatrick, Gelatt, Vecchi, Optimization by simulated annealing, Science 220 (1983).
    """

    def __init__(self, accept: Accept | None = None, batch: int = 1) -> None:
        at_least("solver.method.", batch=(batch, 1))
        self.accept = accept or SimulatedAnnealing(0.02, 0.0002)
        self.batch = batch
        self._point, self._value, self._best = np.empty(0), np.inf, np.inf

    def begin(self, point: Point, value: float) -> None:
        self._point, self._value, self._best = point, value, value
        self.accept.begin(value if np.isfinite(value) else 0.0)

    def ask(self, space: Space, rng: np.random.Generator) -> list[Point]:
        return [space.neighbour(self._point, rng) for _ in range(self.batch)]

    def tell(
        self,
        points: Sequence[Point],
        values: Float[np.ndarray, " points"],
        progress: float,
        rng: np.random.Generator,
    ) -> None:
        for point, value in zip(points, values.tolist(), strict=True):
            if not np.isfinite(self._best) and np.isfinite(value):
                self.begin(point, value)  # the first that is a solution sets the scale
                break
            if self._accepts(value, progress, rng):
                self._point, self._value, self._best = point, value, min(self._best, value)
                break
        self.accept.record(self._value)

    def _accepts(self, value: float, progress: float, rng: np.random.Generator) -> bool:
        if not np.isfinite(self._value):
            return True
        return value <= self.accept.level(self._value, self._best, progress, rng)

    def memory(self) -> State:
        own = {"point": self._point, "value": np.array(self._value), "best": np.array(self._best)}
        return own | prefixed("accept/", self.accept.memory())

    def restore(self, memory: State) -> None:
        self._point, self._value, self._best = memory["point"], float(memory["value"]), float(memory["best"])
        self.accept.restore(under("accept/", memory))
