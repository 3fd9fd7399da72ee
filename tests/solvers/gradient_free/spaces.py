"""Bit strings, and what they are worth: the least value and where it is are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from solvers.base import Meter
from solvers.gradient_free.space import Objective, Point, Space


class Bits(Space):
    """Strings of ``length`` bits; neighbours differ in one."""

    def __init__(self, length: int) -> None:
        self.length = length

    def sample(self, rng: np.random.Generator) -> Point:
        return rng.integers(2, size=self.length)

    def neighbour(self, point: Point, rng: np.random.Generator) -> Point:
        changed = point.copy()
        changed[rng.integers(self.length)] ^= 1
        return changed

    def crossover(self, first: Point, second: Point, rng: np.random.Generator) -> Point:
        return np.where(rng.integers(2, size=self.length) == 1, first, second)


class Ones(Objective):
    """1 + how many bits are set; infinite where the first is. Counts what it is asked, and keeps the points."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def values(self, points: Sequence[Point], meter: Meter) -> np.ndarray:
        self.asked += [point.tobytes() for point in points]
        meter.evaluations += len(points)
        return np.array([np.inf if point[0] else 1.0 + point.sum() for point in points])
