"""Statistics of consecutive segments of an array, without a loop over rows or columns."""

from __future__ import annotations

import numpy as np

LONG = 16
"""Values per segment from which ``reduceat`` is faster than a scatter: sums .05 and .45 ms for 1,000 segments of 130, .2 and
.1 ms for 6,000 of 8; minima .04 and .5, .25 and .16 ms."""


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
        self._long = len(self.of) > LONG * len(counts)
        self._occupied = np.flatnonzero(counts)
        self._starts = (np.cumsum(counts) - counts)[self._occupied]

    def where(self, mask: np.ndarray) -> Segments:
        """The segments of the values that ``mask`` (K,) keeps."""
        return Segments(np.bincount(self.of[mask], minlength=len(self.counts)))

    def sum(self, values: np.ndarray) -> np.ndarray:
        """(S,) sums of ``values`` (K,), 0 where empty."""
        if self._long:
            return self._reduce(np.add, values, 0.0)
        return np.bincount(self.of, values, minlength=len(self.counts))

    def spread(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """(S,) sum, mean, population standard deviation, min and max of ``values`` (K,), each 0 where empty."""
        total, length = self.sum(values), np.maximum(self.counts, 1)
        mean = total / length
        variance = self.sum((values - mean[self.of]) ** 2) / length
        occupied = self.counts > 0
        return {
            "sum": total,
            "mean": mean,
            "std": np.sqrt(variance),
            "min": np.where(occupied, self._reduce(np.minimum, values, np.inf), 0.0),
            "max": np.where(occupied, self._reduce(np.maximum, values, -np.inf), 0.0),
        }

    def range(self, values: np.ndarray, mask: np.ndarray, low: float, high: float) -> dict[str, np.ndarray]:
        """(S,) min and max of those of ``values`` (K,) that ``mask`` (K,) keeps, where the search for the smallest begins
        at ``low`` and that for the largest at ``high``."""
        if not mask.any():
            return {"min": np.full(len(self.counts), low), "max": np.full(len(self.counts), high)}
        whole = mask.all()
        return {
            "min": self._reduce(np.minimum, values if whole else np.where(mask, values, low), low),
            "max": self._reduce(np.maximum, values if whole else np.where(mask, values, high), high),
        }

    def _reduce(self, ufunc: np.ufunc, values: np.ndarray, start: float) -> np.ndarray:
        """(S,) ``ufunc`` of ``start`` and the values of each segment."""
        result = np.full(len(self.counts), start)
        if not self._long:
            ufunc.at(result, self.of, values.astype(np.float64, copy=False))
        elif len(self._occupied):
            reduced = ufunc.reduceat(values.astype(np.float64, copy=False), self._starts)
            result[self._occupied] = ufunc(reduced, start)
        return result
