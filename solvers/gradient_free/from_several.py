"""Another method, begun at the best of several points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs.record.checkpoint import State, prefixed, under
from solvers.gradient_free.method import Method
from solvers.gradient_free.space import Point, Space


class FromSeveral(Method):
    """Asks for some points first, and then lets a method go on from the best of these and of where the search began.

    Parameters
    ----------
    method
        What goes on.
    starts
        The points.
    """

    def __init__(self, method: Method, starts: Sequence[Point]) -> None:
        self.method, self.starts = method, list(starts)
        self._point, self._value, self._begun = np.empty(0), np.inf, False

    def begin(self, point: Point, value: float) -> None:
        self._point, self._value, self._begun = point, value, not self.starts
        if self._begun:
            self.method.begin(point, value)

    def ask(self, space: Space, rng: np.random.Generator) -> list[Point]:
        return self.method.ask(space, rng) if self._begun else self.starts

    def tell(
        self,
        points: Sequence[Point],
        values: Float[np.ndarray, " points"],
        progress: float,
        rng: np.random.Generator,
    ) -> None:
        if self._begun:
            self.method.tell(points, values, progress, rng)
            return
        best = int(np.argmin(values))
        better = values[best] < self._value
        self.method.begin(*((points[best], float(values[best])) if better else (self._point, self._value)))
        self._begun = True

    def memory(self) -> State:
        own = {"point": self._point, "value": np.array(self._value), "begun": np.array(self._begun)}
        return own | prefixed("method/", self.method.memory())

    def restore(self, memory: State) -> None:
        self._point, self._value, self._begun = memory["point"], float(memory["value"]), bool(memory["begun"])
        self.method.restore(under("method/", memory))
