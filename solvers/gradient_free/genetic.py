"""A genetic algorithm: parents by tournament, children by crossover and mutation, the best survive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError, at_least
from runs.record.checkpoint import State
from solvers.gradient_free.method import Method
from solvers.gradient_free.space import Point, Space


class Genetic(Method):
    """A population of the best so far, of which children are made.

    Parameters
    ----------
    population
        Points that survive; as many samples begin.
    children
        Points a generation.
    tournament
        Points of which the best becomes a parent.
    mutation
        Chance that a child also moves to a neighbour; a child of equal parents always does.

    Raises
    ------
    ConfigError
        A setting is out of range.

    References
    ----------
    Holland, Adaptation in natural and artificial systems (1975).
    """

    def __init__(self, population: int = 32, children: int = 16, tournament: int = 3, mutation: float = 0.5) -> None:
        at_least("solver.method.", population=(population, 2), children=(children, 1), tournament=(tournament, 1))
        if not 0 <= mutation <= 1:
            raise ConfigError(f"solver.method.mutation is {mutation}; give a chance from 0 to 1")
        self.population, self.children, self.tournament, self.mutation = population, children, tournament, mutation
        self._points: list[Point] = []
        self._values: list[float] = []

    def begin(self, point: Point, value: float) -> None:
        self._points, self._values = [point], [value]

    def ask(self, space: Space, rng: np.random.Generator) -> list[Point]:
        if len(self._points) < self.population:
            return [space.sample(rng) for _ in range(self.population - len(self._points))]
        return [self._child(space, rng) for _ in range(self.children)]

    def _child(self, space: Space, rng: np.random.Generator) -> Point:
        first, second = (self._points[rng.integers(self.population, size=self.tournament).min()] for _ in range(2))
        child = space.crossover(first, second, rng)
        alone = space.key(child) in (space.key(first), space.key(second))
        return space.neighbour(child, rng) if alone or rng.random() < self.mutation else child

    def tell(
        self,
        points: Sequence[Point],
        values: Float[np.ndarray, " points"],
        progress: float,
        rng: np.random.Generator,
    ) -> None:
        everyone, worth = self._points + list(points), self._values + values.tolist()
        order = np.argsort(worth, kind="stable")[: self.population].tolist()
        self._points, self._values = [everyone[i] for i in order], [worth[i] for i in order]

    def memory(self) -> State:
        points = {f"point_{i:06d}": point for i, point in enumerate(self._points)}
        return points | {"values": np.array(self._values, float)}

    def restore(self, memory: State) -> None:
        self._points = [memory[name] for name in sorted(memory) if name.startswith("point_")]
        self._values = memory["values"].tolist()
