"""Costs of shards that follow from what their pieces add up to: formulas and networks alike."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from data.sharding.oracles.oracle import CostOracle
from data.sharding.plan import Pieces
from data.sharding.tables import EmbeddingTables


class Described(NamedTuple):
    """What a shard needs to know of its pieces.

    Parameters
    ----------
    added
        (pieces, features) of which a shard has the sum.
    largest
        (pieces, peaks) of which a shard has the maximum; at least 0.
    """

    added: Float[np.ndarray, "pieces features"]
    largest: Float[np.ndarray, "pieces peaks"]


class AdditiveOracle(CostOracle):
    """Prices a shard by sums and maxima over its pieces, so that a search may put pieces on it one after the other."""

    @abstractmethod
    def describe(
        self, tables: EmbeddingTables, table: Int[np.ndarray, " pieces"], dim: Int[np.ndarray, " pieces"]
    ) -> Described:
        """What the pieces bring to the shard that holds them."""

    @abstractmethod
    def fused(
        self,
        added: Float[np.ndarray, "shards features"],
        largest: Float[np.ndarray, "shards peaks"],
        device: Int[np.ndarray, " shards"],
    ) -> Float[np.ndarray, " shards"]:
        """ms of shards that hold something, each on a device."""

    def sums(self, tables: EmbeddingTables, pieces: Pieces, shards: int) -> Described:
        """What all pieces bring, by shard: (shards, features) and (shards, peaks)."""
        described = self.describe(tables, pieces.table, pieces.dim)
        added = np.column_stack(
            [np.bincount(pieces.shard, weights=column, minlength=shards) for column in described.added.T]
        )
        largest = np.zeros((shards, described.largest.shape[1]))
        np.maximum.at(largest, pieces.shard, described.largest)
        return Described(added, largest)

    def compute(
        self, tables: EmbeddingTables, pieces: Pieces, shards: int, devices: int
    ) -> Float[np.ndarray, " shards"]:
        self.check(devices)
        added, largest = self.sums(tables, pieces, shards)
        held = np.flatnonzero(np.bincount(pieces.shard, minlength=shards))
        found = np.zeros(shards)
        found[held] = self.fused(added[held], largest[held], held % devices)
        return found
