"""The cross-entropy method: draw, keep the best share, fit the distribution to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError, at_least
from runs.record.checkpoint import State
from solvers.gradient_free.method import Method
from solvers.gradient_free.space import Modelled, Point, Space


class CrossEntropy(Method):
    """Draws from a distribution that moves towards the best of them.

    Parameters
    ----------
    population
        Points a generation.
    elite
        Share that the distribution is fitted to.
    rate
        Share of the fit in the next distribution; the rest is the one before.
    explore
        Share of the prior in what is fitted, so that no distribution loses its width.

    Raises
    ------
    ConfigError
        A setting is out of range, or the space has no distributions.

    References
    ----------
    Rubinstein, The cross-entropy method for combinatorial and continuous optimization, Methodology and Computing in Applied
    Probability 1 (1999).
    """

    def __init__(self, population: int = 32, elite: float = 0.2, rate: float = 0.5, explore: float = 0.02) -> None:
        at_least("solver.method.", population=(population, 2))
        for name, value, least in (("elite", elite, 0), ("rate", rate, 0), ("explore", explore, -1)):
            if not least < value <= 1:
                raise ConfigError(f"solver.method.{name} is {value}; give a share of at most 1, above {max(least, 0)}")
        self.population, self.elite, self.rate, self.explore = population, elite, rate, explore
        self._parameters: np.ndarray | None = None
        self._space: Modelled | None = None

    def begin(self, point: Point, value: float) -> None:
        self._parameters = None

    def ask(self, space: Space, rng: np.random.Generator) -> list[Point]:
        if not isinstance(space, Modelled):
            raise ConfigError(
                f"a {type(space).__name__} has no distributions; choose another method than cross-entropy"
            )
        self._space = space
        if self._parameters is None:
            self._parameters = space.prior()
        return [space.draw(self._parameters, rng) for _ in range(self.population)]

    def tell(
        self,
        points: Sequence[Point],
        values: Float[np.ndarray, " points"],
        progress: float,
        rng: np.random.Generator,
    ) -> None:
        assert self._space is not None and self._parameters is not None
        best = np.argsort(values, kind="stable")[: max(1, round(self.elite * len(points)))]
        fitted = self._space.fit([points[i] for i in best])
        target = (1 - self.explore) * fitted + self.explore * self._space.prior()
        self._parameters = (1 - self.rate) * self._parameters + self.rate * target

    def memory(self) -> State:
        return {} if self._parameters is None else {"parameters": self._parameters}

    def restore(self, memory: State) -> None:
        self._parameters = memory.get("parameters")
