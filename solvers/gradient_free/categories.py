"""Strings of categories as a space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from runs.errors import ConfigError
from solvers.gradient_free.space import Point, Space


class Categories(Space):
    """(length,) whole numbers, the i-th below ``choices[i]``; neighbours differ in one, children take each from a parent.

    Parameters
    ----------
    choices
        (length,) how many there are at each place, at least 1.

    Raises
    ------
    ConfigError
        Somewhere there is none.
    """

    def __init__(self, choices: ArrayLike) -> None:
        self.choices = np.asarray(choices, np.int64)
        if self.choices.ndim != 1 or not (self.choices >= 1).all():
            raise ConfigError(f"space: choices are {self.choices.tolist()}; give a list of numbers of at least 1")
        self._open = np.flatnonzero(self.choices > 1)
        self._there = np.arange(self.choices.max(initial=1)) < self.choices[:, None]

    def sample(self, rng: np.random.Generator) -> Point:
        return rng.integers(self.choices)

    def neighbour(self, point: Point, rng: np.random.Generator) -> Point:
        if not len(self._open):
            return point
        changed = point.copy()
        place = rng.choice(self._open)
        changed[place] = (point[place] + rng.integers(1, self.choices[place])) % self.choices[place]
        return changed

    def crossover(self, first: Point, second: Point, rng: np.random.Generator) -> Point:
        return np.where(rng.integers(2, size=len(self.choices)) == 1, first, second)

    def prior(self) -> Float[np.ndarray, "length choices"]:
        """Every category as likely as the others."""
        return self._there / self.choices[:, None]

    def draw(self, parameters: Float[np.ndarray, "length choices"], rng: np.random.Generator) -> Point:
        """Each place by its probabilities."""
        below = np.cumsum(parameters, axis=1)
        return (below < rng.random(len(below))[:, None] * below[:, -1:]).sum(axis=1)

    def fit(self, points: Sequence[Point]) -> Float[np.ndarray, "length choices"]:
        """The shares of each category."""
        return np.mean(np.asarray(points)[:, :, None] == np.arange(self._there.shape[1]), axis=0)
