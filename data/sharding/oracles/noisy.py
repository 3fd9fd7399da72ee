"""An oracle that is off by a little, always by the same for the same shard, as a measurement may be."""

from __future__ import annotations

import zlib

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from data.sharding.oracles.oracle import CostOracle
from data.sharding.plan import Pieces
from data.sharding.tables import EmbeddingTables
from runs.errors import at_least


class Noisy(CostOracle):
    """Computation times are multiplied by ``exp(spread z)``; tables and dimensions of a shard decide the normal z.

    Parameters
    ----------
    oracle
        What is right.
    spread
        Standard deviation of the logarithm.
    seed
        Another one is another noise.
    """

    def __init__(self, oracle: CostOracle, spread: float, seed: int = 0) -> None:
        at_least("device.", spread=(spread, 0), seed=(seed, 0))
        self.oracle, self.spread, self.seed = oracle, spread, seed
        self.skew = oracle.skew

    def check(self, devices: int) -> None:
        self.oracle.check(devices)

    def compute(
        self, tables: EmbeddingTables, pieces: Pieces, shards: int, devices: int
    ) -> Float[np.ndarray, " shards"]:
        names = np.array([zlib.crc32(name.encode()) for name in tables.names], dtype=np.uint64)
        own = _mixed(names[pieces.table] * np.uint64(1 << 20) + pieces.dim.astype(np.uint64))
        content = np.zeros(shards, np.uint64)
        np.add.at(content, pieces.shard, own)  # a sum, so that the order of pieces does not matter
        drawn = _mixed(content + np.uint64(self.seed))
        z = ndtri((drawn >> np.uint64(11)).astype(float) / 2**53 + 2.0**-54)
        return self.oracle.compute(tables, pieces, shards, devices) * np.exp(self.spread * z)

    def backward_communication(
        self, tables: EmbeddingTables, dim_sums: Float[np.ndarray, "plans devices"]
    ) -> Float[np.ndarray, "plans devices"]:
        return self.oracle.backward_communication(tables, dim_sums)

    def forward_communication(
        self,
        tables: EmbeddingTables,
        dim_sums: Float[np.ndarray, "plans devices"],
        start: Float[np.ndarray, "plans devices"],
    ) -> Float[np.ndarray, "plans devices"]:
        return self.oracle.forward_communication(tables, dim_sums, start)


def _mixed(values: np.ndarray) -> np.ndarray:
    """Bits that depend on all bits of each value (the finaliser of SplitMix64, Steele, Lea and Flood, 2014)."""
    x = values + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
