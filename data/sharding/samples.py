"""Shards and communications to learn costs from (docs/papers/neuroshard.md#4.3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from data.sharding.plan import DIM_UNIT, Pieces
from data.sharding.problem import GIB
from data.sharding.tables import EmbeddingTables

DIMS = DIM_UNIT * 2 ** np.arange(6)
"""4 to 128: every table of a pool stands in it with each."""


def shard_samples(
    pool: EmbeddingTables,
    count: int,
    rng: np.random.Generator,
    most: int = 15,
    memory: int = 4 * GIB,
    dims: Int[np.ndarray, " tables"] | None = None,
) -> Pieces:
    """Shards of 1 to ``most`` tables, with replacement; one larger than ``memory`` bytes is drawn anew.

    A table has any of :data:`DIMS`, or always its own of ``dims``.
    """
    found: list[tuple[Int[np.ndarray, " pieces"], Int[np.ndarray, " pieces"]]] = []
    while len(found) < count:
        size = rng.integers(1, most + 1)
        table = rng.integers(len(pool), size=size)
        dim = rng.choice(DIMS, size=size) if dims is None else dims[table]
        if pool.rows[table] @ dim * 4 <= memory:
            found.append((table, dim))
    shard = np.repeat(np.arange(count), [len(table) for table, _ in found])
    return Pieces(np.concatenate([table for table, _ in found]), np.concatenate([dim for _, dim in found]), shard)


class Communications(NamedTuple):
    """Sums of dimensions of devices, and when each begins.

    Parameters
    ----------
    dim_sums, start
        (samples, devices); ms, the least is 0.
    """

    dim_sums: Float[np.ndarray, "samples devices"]
    start: Float[np.ndarray, "samples devices"]


def communication_samples(
    devices: int, count: int, rng: np.random.Generator, fewest: int = 10, most: int = 59, balanced: bool = False
) -> Communications:
    """Dimensions of ``fewest`` to ``most`` tables on devices, the largest first.

    Each goes to any device with a probability that is drawn once for a sample, else to that of the least sum, so that all
    degrees of balance occur; ``balanced`` leaves the unbalanced ones out.
    """
    tables = rng.integers(fewest, most + 1, size=count)
    dims = np.where(np.arange(most) < tables[:, None], rng.choice(DIMS, size=(count, most)), 0)
    anywhere = np.zeros(count) if balanced else rng.uniform(size=count)
    sums, sample = np.zeros((count, devices)), np.arange(count)
    for dim in -np.sort(-dims, axis=1).T:
        drawn, at_random = rng.integers(devices, size=count), rng.uniform(size=count) < anywhere
        sums[sample, np.where(at_random, drawn, sums.argmin(axis=1))] += dim
    start = rng.integers(0, rng.integers(1, 20, size=(count, 1)), size=(count, devices)).astype(float)
    return Communications(sums, start - start.min(axis=1, keepdims=True))
