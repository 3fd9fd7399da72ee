"""Covariance matrix adaptation, by the package ``cmaes``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError, at_least, require
from runs.record.checkpoint import State
from solvers.gradient_free.method import Method
from solvers.gradient_free.space import Point, Space
from solvers.gradient_free.vectors import Vectors

FULL = 200
"""Numbers up to which the covariance is a full matrix by default."""


class CmaEs(Method):
    """CMA-ES over vectors, in units of the space's scales.

    Parameters
    ----------
    sigma
        First step, in scales.
    population
        Points a generation; None: 4 + 3 log(length), rounded down.
    separable
        Whether the covariance is diagonal, as large spaces need it; None: beyond 200 numbers.
    from_start
        Whether the first mean is where the search begins, and not the centre of the space.

    Raises
    ------
    ConfigError
        A setting is out of range, or the space is none of vectors.
    MissingDependency
        ``cmaes`` is not installed.

    References
    ----------
    Hansen, Ostermeier, Completely derandomized self-adaptation in evolution strategies, Evolutionary Computation 9 (2001);
    Ros, Hansen, A simple modification in CMA-ES achieving linear time and space complexity, PPSN 2008.
    """

    def __init__(
        self,
        sigma: float = 1.0,
        population: int | None = None,
        separable: bool | None = None,
        from_start: bool = False,
    ) -> None:
        at_least("solver.method.", population=(population, 3))
        if not sigma > 0:
            raise ConfigError(f"solver.method.sigma is {sigma}; it must be above 0")
        self.cmaes = require("cmaes", "search")
        self.sigma, self.population, self.separable, self.from_start = sigma, population, separable, from_start
        self._start: Point | None = None
        self._strategy: Any = None
        self._saved: State = {}
        self._asked: list[np.ndarray] = []

    def begin(self, point: Point, value: float) -> None:
        self._start, self._strategy, self._saved = point, None, {}

    def ask(self, space: Space, rng: np.random.Generator) -> list[Point]:
        if not isinstance(space, Vectors):
            raise ConfigError(f"CMA-ES searches vectors; a {type(space).__name__} needs another method")
        if self._strategy is None:
            self._strategy = self._made(space)
        self._strategy._rng = _Draws(rng)
        self._asked = [self._strategy.ask() for _ in range(self._strategy.population_size)]
        return [space.clipped(space.centre + space.scale * z) for z in self._asked]

    def tell(
        self,
        points: Sequence[Point],
        values: Float[np.ndarray, " points"],
        progress: float,
        rng: np.random.Generator,
    ) -> None:
        if len(points) == len(self._asked):  # of what the budget cuts off nothing is learned
            self._strategy.tell(list(zip(self._asked, values.tolist(), strict=True)))

    def _made(self, space: Vectors) -> Any:
        start = space.centre if self._start is None or not self.from_start else self._start
        separable = space.length > FULL if self.separable is None else self.separable
        kind = self.cmaes.SepCMA if separable else self.cmaes.CMA
        low, high = ((bound - space.centre) / space.scale for bound in (space.low, space.high))
        bounds = np.stack([low, high], axis=1) if np.isfinite([low, high]).any() else None
        made = kind((start - space.centre) / space.scale, self.sigma, bounds, population_size=self.population)
        for name, value in self._saved.items():
            if name != "start":
                setattr(made, name, value.copy() if value.ndim else value.item())
        return made

    def memory(self) -> State:
        own = {} if self._start is None else {"start": self._start}
        if self._strategy is None:
            return own
        kept = {name: value for name, value in vars(self._strategy).items() if name not in ("_rng", "_bounds")}
        return own | {name: np.array(value) for name, value in kept.items() if value is not None}

    def restore(self, memory: State) -> None:
        self._start, self._strategy, self._saved = memory.get("start"), None, memory


class _Draws:
    """What the package asks of its random state, from a generator of ours."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def randn(self, *shape: int) -> np.ndarray:
        return self._rng.standard_normal(shape)
