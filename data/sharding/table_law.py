"""A law of embedding tables, fitted to the public lookup statistics of 2021 (docs/papers/neuroshard.md#2.2).

A table is drawn by five standard normals. A part w of its lookups follows a power of the rank, the rest is spread evenly
over the first ranks; how often a batch looks a row up is Poisson, so the expected bins are sums over ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from data.sharding.tables import BIN_ENDS, EmbeddingTables
from runs.errors import ConfigError

NORMALS = 5
"""Per table: rows, pooling factor, exponent, weight of the head, reuse of the rest."""
MOST = 3.2
"""Largest size of a normal."""
INTERVALS = 40
"""Of ranks, evenly spaced in the logarithm; all ranks of one have the popularity of its geometric middle."""
HEAD_RANKS = 100_000
"""Ranks that are summed for the most popular row."""


@dataclass(frozen=True, eq=False)
class LookupLaw:
    """How the lookups of some tables spread over their rows.

    Parameters
    ----------
    rows, pooling_factor
        (tables,)
    exponent
        (tables,) of the rank.
    head
        (tables,) w, the part of the lookups that follows the power.
    plateau
        (tables,) the part of the rows over which the rest is spread.
    """

    rows: Int[np.ndarray, " tables"]
    pooling_factor: Float[np.ndarray, " tables"]
    exponent: Float[np.ndarray, " tables"]
    head: Float[np.ndarray, " tables"]
    plateau: Float[np.ndarray, " tables"]

    @classmethod
    def of_normals(cls, normals: Float[np.ndarray, "tables 5"], batch: int) -> LookupLaw:
        """The tables that five standard normals each describe."""
        u = np.clip(normals, -MOST, MOST).T
        rows = np.floor(np.clip(np.exp(12.704 + 2.445 * u[0]), 100, 1e8)).astype(np.int64)
        mixed = 0.104 * u[0] + np.sqrt(1 - 0.104**2) * u[1]
        pooling = np.clip(np.exp(1.719 + 1.49 * mixed), 0.01, 200)
        return cls.of_sizes(rows, pooling, batch, normals=u[2:].T)

    @classmethod
    def of_sizes(
        cls,
        rows: Int[np.ndarray, " tables"],
        pooling_factor: Float[np.ndarray, " tables"],
        batch: int,
        normals: Float[np.ndarray, "tables 3"] | None = None,
    ) -> LookupLaw:
        """Tables of known rows and pooling factor, typical in everything else unless the last three normals are given."""
        u = np.zeros((3, len(rows))) if normals is None else np.asarray(normals).T
        exponent = np.clip(0.952 + 0.026 * u[0], 0, 2)
        head = 1 / (1 + np.exp(-(0.373 + 0.676 * u[1])))
        reuse = np.exp(1.424 + 1.094 * u[2])
        plateau = np.clip(batch * pooling_factor * (1 - head) / (reuse * rows), 0, 1)
        return cls(np.asarray(rows), np.asarray(pooling_factor, float), exponent, head, plateau)

    def tables(self, names: Sequence[str], batch: int) -> EmbeddingTables:
        """The tables with their expected bins."""
        unique, lookups = self.expected_bins(batch)
        return EmbeddingTables(
            tuple(names), self.rows, self.pooling_factor, unique, lookups, self.hot_row(batch), batch
        )

    def popularity(self) -> tuple[Float[np.ndarray, "tables intervals"], Float[np.ndarray, "tables intervals"]]:
        """The share of lookups that each row of an interval of ranks gets, and how many rows the interval stands for."""
        ends = (self.rows + 1.0)[:, None] ** (np.arange(INTERVALS + 1) / INTERVALS)
        middle, width = np.sqrt(ends[:, 1:] * ends[:, :-1]), np.diff(ends, axis=1)
        power = middle ** -self.exponent[:, None]
        last = np.maximum(self.plateau * self.rows, middle[:, 0])  # the first interval always belongs to it
        even = (middle <= last[:, None]).astype(float)
        parts = [part / np.sum(width * part, axis=1, keepdims=True) for part in (power, even)]
        head = self.head[:, None]
        return head * parts[0] + (1 - head) * parts[1], width

    def expected_bins(self, batch: int) -> tuple[Float[np.ndarray, "tables 17"], Float[np.ndarray, "tables 17"]]:
        """Rows that a batch looks up, and its lookups, by how often it does: expectations under Poisson counts."""
        popularity, width = self.popularity()
        unique, lookups = occupancy(batch * self.pooling_factor[:, None] * popularity)
        return np.einsum("tk,tkb->tb", width, unique), np.einsum("tk,tkb->tb", width, lookups)

    def hot_row(self, batch: int) -> Float[np.ndarray, " tables"]:
        """Lookups of the most popular row in a batch."""
        ranks = np.minimum(self.rows, HEAD_RANKS)
        sums = np.array([np.sum(np.arange(1.0, n + 1) ** -a) for n, a in zip(ranks, self.exponent, strict=True)])
        return batch * self.pooling_factor * np.maximum(self.head / sums, 1 / self.rows)


def occupancy(
    rates: Float[np.ndarray, "tables intervals"],
) -> tuple[Float[np.ndarray, "tables intervals 17"], Float[np.ndarray, "tables intervals 17"]]:
    """Whether a row is looked up, and its lookups, by how often it is: expectations for Poisson counts of given rates."""
    unique = np.diff(_at_most(rates, np.insert(BIN_ENDS, 0, 0.0)), axis=2)
    # sum n P(N = n) over lo < n <= hi is the rate times P(lo - 1 < N <= hi - 1)
    return unique, rates[:, :, None] * np.diff(_at_most(rates, np.insert(BIN_ENDS, 0, 0.0) - 1), axis=2)


def _at_most(rates: Float[np.ndarray, "tables intervals"], counts: Float[np.ndarray, " counts"]) -> np.ndarray:
    """P(N <= count) for Poisson N: (tables, intervals, counts)."""
    from scipy.special import pdtr

    inside = np.where(np.isfinite(counts) & (counts >= 0), counts, 0.0)
    below = pdtr(inside, rates[:, :, None])
    return np.where(counts < 0, 0.0, np.where(np.isinf(counts), 1.0, below))


@cache
def law_tables(count: int, seed: int, batch: int = 65_536, first: int = 0) -> EmbeddingTables:
    """Tables ``first`` to ``first + count - 1`` of an endless pool; a table does not depend on how many are drawn.

    Raises
    ------
    ConfigError
        A number is out of its range.
    """
    for name, value, least in (("count", count, 1), ("seed", seed, 0), ("batch", batch, 1), ("first", first, 0)):
        if value < least:
            raise ConfigError(f"{name} is {value}; give at least {least}")
    indices = range(first, first + count)
    normals = np.stack([np.random.default_rng([seed, index]).normal(size=NORMALS) for index in indices])
    return LookupLaw.of_normals(normals, batch).tables([f"table{index}" for index in indices], batch)
