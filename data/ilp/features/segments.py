"""Statistics of consecutive segments of an array, by ``reduceat``: the loop over rows or columns without the loop."""

from __future__ import annotations

import numpy as np


class Segments:
    """An array of K values cut into S consecutive segments, some of which may be empty.

    Parameters
    ----------
    counts
        (S,) int, lengths of the segments; they add up to K.
    """

    def __init__(self, counts: np.ndarray) -> None:
        self.counts = counts
        self.of = np.repeat(np.arange(len(counts)), counts)  # (K,) the segment of each value
        self._occupied = np.flatnonzero(counts)
        self._starts = (np.cumsum(counts) - counts)[self._occupied]

    def where(self, mask: np.ndarray) -> Segments:
        """The segments of the values that ``mask`` (K,) keeps."""
        return Segments(np.bincount(self.of[mask], minlength=len(self.counts)))

    def sum(self, values: np.ndarray) -> np.ndarray:
        """(S,) sums of ``values`` (K,), 0 where empty."""
        return self._reduce(np.add, values, 0.0)

    def min(self, values: np.ndarray, empty: float = 0.0) -> np.ndarray:
        """(S,) minima."""
        return self._reduce(np.minimum, values, empty)

    def max(self, values: np.ndarray, empty: float = 0.0) -> np.ndarray:
        """(S,) maxima."""
        return self._reduce(np.maximum, values, empty)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """(S,) means, 0 where empty."""
        return self.sum(values) / np.maximum(self.counts, 1)

    def std(self, values: np.ndarray) -> np.ndarray:
        """(S,) population standard deviations, 0 where empty."""
        return np.sqrt(self.mean((values - self.mean(values)[self.of]) ** 2))

    def _reduce(self, ufunc: np.ufunc, values: np.ndarray, empty: float) -> np.ndarray:
        result = np.full(len(self.counts), empty)
        if len(self._occupied):
            result[self._occupied] = ufunc.reduceat(values.astype(np.float64, copy=False), self._starts)
        return result
