"""Directions as instances of a small nonlinear program, some of them solved before (docs/papers/surco.md#8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch.utils.data import Dataset

from data.modules import ProblemData
from runs.errors import at_least


@dataclass(frozen=True, eq=False)
class Directions:
    """Unit vectors without a negative number.

    Parameters
    ----------
    name
        What reports call the set.
    seen
        (seen, dimension) solved before.
    asked
        (asked, dimension) to be solved.
    """

    name: str
    seen: Float[np.ndarray, "seen dimension"]
    asked: Float[np.ndarray, "asked dimension"]


class DirectionSets(ProblemData):
    """Sets of random directions, ``draws`` for each number of seen ones.

    Parameters
    ----------
    dimension
        At least 2.
    counts
        How many are seen.
    draws
        Sets of each count.
    asked
        How many are asked, the same in all sets.
    seed
        Of the draws.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    name = "directions"

    def __init__(
        self, dimension: int = 2, counts: Sequence[int] = (4, 8, 16), draws: int = 5, asked: int = 1000, seed: int = 0
    ) -> None:
        super().__init__()
        least = min(counts, default=0)
        at_least("data.", dimension=(dimension, 2), counts=(least, dimension), draws=(draws, 1), asked=(asked, 1))
        self.dimension, self.counts, self.draws, self.asked, self.seed = dimension, list(counts), draws, asked, seed

    def setup(self, stage: str | None = None) -> None:
        """Draw them."""
        if self.test_problems is None:
            self.test_problems = _Drawn(self)


class _Drawn(Dataset[tuple[int, Directions]]):
    def __init__(self, sets: DirectionSets) -> None:
        self.sets = sets

    def __len__(self) -> int:
        return len(self.sets.counts) * self.sets.draws

    def __getitem__(self, position: int) -> tuple[int, Directions]:
        if not 0 <= position < len(self):
            raise IndexError(position)
        sets = self.sets
        count = sets.counts[position // sets.draws]
        name = f"{sets.dimension}d_{count}_seen-{position % sets.draws}"
        seen = uniform(np.random.default_rng([sets.seed, sets.dimension, position]), count, sets.dimension)
        return position, Directions(name, seen, uniform(np.random.default_rng(sets.seed), sets.asked, sets.dimension))


def uniform(rng: np.random.Generator, count: int, dimension: int) -> Float[np.ndarray, "count dimension"]:
    """Uniform on the part of the sphere without negative numbers."""
    drawn = np.abs(rng.standard_normal((count, dimension)))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
