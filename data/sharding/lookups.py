"""The lookups of a batch in one table: how often rows occur in them, and drawing some that occur as often."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from data.sharding.table_law import LookupLaw, occupancy
from data.sharding.tables import BIN_ENDS, BINS, EmbeddingTables

RATES = 64
"""Popularities that a table's bins are explained by, evenly spaced in the logarithm."""
LEAST_RATE = 0.02
"""Lookups of a row in a batch below which only their sum can be told from the bins."""


class Lookups(NamedTuple):
    """Which rows each sample of a batch looks up.

    Parameters
    ----------
    indices
        (lookups,) rows, sample after sample.
    offsets
        (batch + 1,) where each sample begins in them, and their number.
    """

    indices: Int[np.ndarray, " lookups"]
    offsets: Int[np.ndarray, " ends"]


class Histogram(NamedTuple):
    """How often a batch looks the rows of a table up.

    Parameters
    ----------
    unique, lookups
        (17,) see :class:`~data.sharding.tables.EmbeddingTables`.
    hot_row
        Lookups of the row that occurs most.
    """

    unique: Float[np.ndarray, " 17"]
    lookups: Float[np.ndarray, " 17"]
    hot_row: float


def histogram(indices: Int[np.ndarray, " lookups"]) -> Histogram:
    """Of some lookups (docs/papers/neuroshard.md#2.1)."""
    counts = np.unique(indices, return_counts=True)[1]
    at = np.searchsorted(BIN_ENDS, counts)
    unique, lookups = np.bincount(at, minlength=BINS), np.bincount(at, weights=counts, minlength=BINS)
    return Histogram(unique.astype(float), lookups, float(counts.max(initial=0)))


@dataclass(frozen=True, eq=False)
class Popularity:
    """How popular the rows of one table are, as intervals of ranks (docs/papers/neuroshard.md#2.2).

    Parameters
    ----------
    rows
        Of the table.
    pooling_factor
        Mean lookups per sample.
    edges
        (intervals + 1,) ranks between intervals, from 0; all ranks of one are equally popular.
    below
        (intervals + 1,) the part of all lookups that goes to ranks below each edge, from 0 to 1.
    """

    rows: int
    pooling_factor: float
    edges: Float[np.ndarray, " ends"]
    below: Float[np.ndarray, " ends"]

    @classmethod
    def of_law(cls, law: LookupLaw, table: int) -> Popularity:
        """That of a table of the law."""
        popularity, width = law.popularity()
        shares = popularity[table] * width[table]
        return cls._of(int(law.rows[table]), float(law.pooling_factor[table]), width[table], shares)

    @classmethod
    def of_bins(cls, tables: EmbeddingTables, table: int) -> Popularity:
        """One that explains the bins of a table, of whatever origin.

        The numbers of rows that batches look up at given rates are the non-negative least squares of their expected bins.
        """
        from scipy.optimize import nnls

        unique, lookups = tables.unique_bins[table], tables.lookup_bins[table]
        rows, pooling = int(tables.rows[table]), float(tables.pooling_factor[table])
        if not lookups.sum():
            return cls(rows, pooling, np.array([0.0, rows]), np.array([0.0, 1.0]))
        rates = np.geomspace(max(lookups.sum(), 2 * LEAST_RATE), LEAST_RATE, RATES)
        expected = np.concatenate([bins[0] for bins in occupancy(rates[None])], axis=1)
        wanted = np.concatenate([unique, lookups])
        weight = 1 / np.sqrt(wanted + 1e-4 * wanted.sum())
        whole = math.sqrt(wanted.sum())  # of the last equation: with a slack, no more rows than there are
        equations = np.vstack([(expected * weight).T, np.full(RATES, whole / rows)])
        scale = 1 / np.linalg.norm(equations, axis=0)
        found, _ = nnls(
            np.column_stack([equations * scale, np.eye(len(equations))[-1]]), np.append(wanted * weight, whole)
        )
        width = found[:-1] * scale
        return cls._of(rows, pooling, width, width * rates)

    @classmethod
    def _of(cls, rows: int, pooling: float, width: np.ndarray, shares: np.ndarray) -> Popularity:
        below = np.insert(np.cumsum(shares), 0, 0.0)
        return cls(rows, pooling, np.insert(np.cumsum(width), 0, 0.0), below / below[-1])

    def sample(self, batch: int, rng: np.random.Generator) -> Lookups:
        """The lookups of a batch; memory follows their number, however many rows there are.

        A sample has a Poisson number of them. The rank of each is drawn by the inverse of the distribution, and ranks lie
        on rows in an order that is fixed for the number of rows.
        """
        lengths = rng.poisson(self.pooling_factor, size=batch)
        offsets = np.insert(np.cumsum(lengths), 0, 0)
        ranks = np.interp(rng.random(int(offsets[-1])), self.below, self.edges).astype(np.int64)
        return Lookups(_scattered(np.minimum(ranks, self.rows - 1), self.rows), offsets)


def _scattered(ranks: Int[np.ndarray, " lookups"], rows: int) -> Int[np.ndarray, " lookups"]:
    """The rows of some ranks: a permutation that takes neighbours apart and needs no list of all rows."""
    step = max(1, min(round(rows * (math.sqrt(5) - 1) / 2), (2**62) // rows))
    while math.gcd(step, rows) > 1:
        step += 1
    return (ranks * step + rows // 3) % rows


def sample(tables: EmbeddingTables, table: int, batch: int, rng: np.random.Generator) -> Lookups:
    """Lookups of a batch in one of some tables, whose rows occur as its bins say."""
    return Popularity.of_bins(tables, table).sample(batch, rng)


def fingerprint(tables: EmbeddingTables, table: int) -> str:
    """Hash of all that is known of a table but its name."""
    numbers = (tables.rows[table], tables.pooling_factor[table], tables.hot_row[table], tables.batch)
    bins = (tables.unique_bins[table], tables.lookup_bins[table])
    content = np.concatenate([np.array(numbers, dtype=float), *bins]).tobytes()
    return hashlib.sha256(content).hexdigest()[:32]
