"""What was seen before, to learn from again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Replay:
    """The last samples, each some arrays.

    Parameters
    ----------
    capacity
        How many; None for all.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self._samples: list[Sequence[np.ndarray | float]] = []
        self._added = 0

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, *sample: np.ndarray | float) -> None:
        """Keep one; the oldest gives way."""
        if self.capacity is None or len(self._samples) < self.capacity:
            self._samples.append(sample)
        else:
            self._samples[self._added % self.capacity] = sample
        self._added += 1

    def draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Some of them with replacement, stacked."""
        chosen = (self._samples[i] for i in rng.integers(len(self._samples), size=count))
        return tuple(np.stack(part) for part in zip(*chosen, strict=True))
