"""Vectors of real numbers as a space: normal around a mean, or uniform in a box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from runs.errors import ConfigError
from solvers.gradient_free.space import Point, Space


class Vectors(Space):
    """(length,) numbers, each with a centre and a scale, within bounds.

    Samples are normal, or uniform where ``uniform``; a neighbour moves every number by ``reach`` of its scale; a child takes
    each number from either parent.

    Attributes
    ----------
    centre, scale
        (length,) mean and standard deviation of samples.
    low, high
        (length,) bounds, perhaps infinite, to which all points are clipped.
    """

    def __init__(
        self,
        length: int,
        centre: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        low: ArrayLike = -np.inf,
        high: ArrayLike = np.inf,
        uniform: bool = False,
        reach: float = 0.3,
    ) -> None:
        self.centre, self.scale, self.low, self.high = (
            np.broadcast_to(np.asarray(value, np.float64), (length,)) for value in (centre, scale, low, high)
        )
        if not ((self.scale > 0).all() and (self.low < self.high).all() and reach > 0):
            raise ConfigError("space: scales and reach must be above 0, and each lower bound below its upper one")
        self.uniform, self.reach = uniform, reach

    @classmethod
    def box(cls, low: ArrayLike, high: ArrayLike, length: int, reach: float = 0.3) -> Vectors:
        """Uniform between bounds, which must be finite."""
        low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise ConfigError("space: a box has finite bounds")
        return cls(length, (low + high) / 2, (high - low) / np.sqrt(12), low, high, True, reach)

    @property
    def length(self) -> int:
        """How many numbers."""
        return len(self.centre)

    def clipped(self, point: Float[np.ndarray, " length"]) -> Point:
        """The nearest point within the bounds."""
        return np.clip(point, self.low, self.high)

    def sample(self, rng: np.random.Generator) -> Point:
        if self.uniform:
            return rng.uniform(self.low, self.high)
        return self.clipped(rng.normal(self.centre, self.scale))

    def neighbour(self, point: Point, rng: np.random.Generator) -> Point:
        return self.clipped(point + self.reach * self.scale * rng.standard_normal(self.length))

    def crossover(self, first: Point, second: Point, rng: np.random.Generator) -> Point:
        return np.where(rng.integers(2, size=self.length) == 1, first, second)

    def prior(self) -> Float[np.ndarray, "2 length"]:
        """Mean and standard deviation of samples."""
        return np.stack([self.centre, self.scale])

    def draw(self, parameters: Float[np.ndarray, "2 length"], rng: np.random.Generator) -> Point:
        """Normal, clipped to the bounds."""
        return self.clipped(rng.normal(*parameters))

    def fit(self, points: Sequence[Point]) -> Float[np.ndarray, "2 length"]:
        """Mean and standard deviation of points."""
        return np.stack([np.mean(points, axis=0), np.std(points, axis=0)])
