"""What a gradient-free method is: it asks for the values of points, and is told them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs.record.checkpoint import State
from solvers.gradient_free.space import Point, Space


class Method(ABC):
    """Base of the methods, a file each. The three hooks at the end are for those that remember something."""

    @abstractmethod
    def ask(self, space: Space, rng: np.random.Generator) -> list[Point]:
        """The points whose values it wants next, at least one. What the budget does not cover is cut off at the end."""

    def begin(self, point: Point, value: float) -> None:  # noqa: B027
        """Forget earlier searches; this one starts at ``point``."""

    def tell(  # noqa: B027
        self,
        points: Sequence[Point],
        values: Float[np.ndarray, " points"],
        progress: float,
        rng: np.random.Generator,
    ) -> None:
        """The values it asked for, and the share of the budget that is spent."""

    def memory(self) -> State:
        """All that it depends on besides arguments and settings, as arrays that are never changed in place."""
        return {}

    def restore(self, memory: State) -> None:  # noqa: B027
        """Go on with the memory of an interrupted search."""
