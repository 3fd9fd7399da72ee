"""A GPU and its links as formulas: a deterministic oracle (docs/papers/neuroshard.md#2.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from data.sharding.oracles.oracle import CostOracle
from data.sharding.plan import Pieces
from data.sharding.tables import BINS, EmbeddingTables
from runs.errors import ConfigError

FLOAT_BYTES = 4
SECTOR_DIM = 8
"""Dimensions of fp32 in a sector of 32 bytes, the least that memory moves."""
CONGESTION = 0.06
"""Of the all-to-all, per device beyond two."""

Rate = float | Sequence[float]
"""One for all devices, or one each."""


class AnalyticalDevice(CostOracle):
    """Memory, cache and issue limits of a GPU, and the links between GPUs.

    Each limit is one for all devices or a list with one each.

    Parameters
    ----------
    cache
        Bytes of the cache that all tables of a shard share.
    memory_rate, cache_rate
        Bytes per ms.
    forward_rate, backward_rate
        Lookups per ms that can be issued.
    sort_rate
        Lookups per ms that the backward pass sorts.
    launch
        ms of a kernel's start.
    conflict
        ms of each lookup of the row that is looked up most, in the backward pass.
    latency
        ms of a message.
    link_rate
        Bytes per ms.
    skew
        See :class:`~data.sharding.oracles.oracle.CostOracle`.

    Raises
    ------
    ConfigError
        A limit is not positive: names it.
    """

    def __init__(
        self,
        cache: Rate,
        memory_rate: Rate,
        cache_rate: Rate,
        forward_rate: Rate,
        backward_rate: Rate,
        sort_rate: Rate,
        launch: Rate,
        conflict: Rate,
        latency: Rate,
        link_rate: Rate,
        skew: bool = True,
    ) -> None:
        limits = {
            "cache": cache, "memory_rate": memory_rate, "cache_rate": cache_rate, "forward_rate": forward_rate,
            "backward_rate": backward_rate, "sort_rate": sort_rate, "launch": launch, "conflict": conflict,
            "latency": latency, "link_rate": link_rate,
        }  # fmt: skip
        for name, value in limits.items():
            if not np.all(np.asarray(value, float) > 0):
                raise ConfigError(f"device.{name} is {value}; it must be positive")
        self.limits = {name: np.asarray(value, float) for name, value in limits.items()}
        self.skew = skew

    def compute(self, tables: EmbeddingTables, pieces: Pieces, shards: int) -> Float[np.ndarray, " shards"]:
        """Fused forward and backward pass."""
        limit = {name: self._by_shard(name, shards) for name in self.limits}
        table, dim = pieces.table, pieces.dim.astype(float)
        unique, lookups = tables.unique_bins[table], tables.lookup_bins[table]
        row_bytes = FLOAT_BYTES * np.maximum(dim, SECTOR_DIM)
        all_lookups = tables.lookup_bins.sum(1)[table]
        penalty = np.where(dim < 64, 1.75, np.where(dim < 128, 1.15, 1.0))

        def total(values: Float[np.ndarray, " pieces"]) -> Float[np.ndarray, " shards"]:
            return np.bincount(pieces.shard, weights=values, minlength=shards)

        footprint, reused = np.empty((BINS, shards)), np.empty((BINS, shards))
        for bin_ in range(BINS):
            footprint[bin_] = total(unique[:, bin_] * row_bytes)
            reused[bin_] = total(np.maximum(lookups[:, bin_] - unique[:, bin_], 0) * row_bytes)
        hotter = np.cumsum(footprint[::-1], axis=0)[::-1] - footprint
        room = np.clip(limit["cache"] - hotter, 0, footprint)
        cached = np.divide(room, footprint, out=np.zeros_like(room), where=footprint > 0)
        read = total(all_lookups * row_bytes)
        from_memory = read - np.sum(cached * reused, axis=0)
        issued = total(all_lookups * penalty * np.maximum(dim, 32) / 128)
        updated = total(tables.unique_bins.sum(1)[table] * row_bytes)
        written = total(FLOAT_BYTES * tables.batch * dim)
        hottest = np.zeros(shards)
        np.maximum.at(hottest, pieces.shard, tables.hot_row[table])

        from_cache = read / limit["cache_rate"]
        forward = limit["launch"] + written / limit["memory_rate"]
        forward += _norm4(from_memory / limit["memory_rate"], from_cache, issued / limit["forward_rate"])
        backward = 2 * limit["launch"] + total(all_lookups) / limit["sort_rate"]
        backward += _norm4(
            (2 * updated + from_memory / 2) / limit["memory_rate"],
            from_cache,
            issued / limit["backward_rate"],
            hottest * limit["conflict"],
        )
        held = np.bincount(pieces.shard, minlength=shards) > 0
        return np.where(held, forward + backward, 0.0)

    def backward_communication(
        self, tables: EmbeddingTables, dim_sums: Float[np.ndarray, "plans devices"]
    ) -> Float[np.ndarray, "plans devices"]:
        """Each device waits for its own messages, and for half of the slowest device's."""
        transfers, latency = self._transfers(tables, dim_sums)
        return latency + np.maximum(transfers, transfers.max(1, keepdims=True) / 2)

    def forward_communication(
        self,
        tables: EmbeddingTables,
        dim_sums: Float[np.ndarray, "plans devices"],
        start: Float[np.ndarray, "plans devices"],
    ) -> Float[np.ndarray, "plans devices"]:
        """All devices wait for the slowest transfer and for the last to begin."""
        transfers, latency = self._transfers(tables, dim_sums)
        return latency + transfers.max(1, keepdims=True) + start.max(1, keepdims=True) - start

    def _transfers(
        self, tables: EmbeddingTables, dim_sums: Float[np.ndarray, "plans devices"]
    ) -> tuple[Float[np.ndarray, "plans devices"], Float[np.ndarray, " devices"]]:
        """ms of each device's larger direction, and of the latencies of its messages."""
        devices = dim_sums.shape[1]
        per_dim = FLOAT_BYTES * tables.batch / devices
        sent = per_dim * dim_sums * (devices - 1)
        received = per_dim * (dim_sums.sum(1, keepdims=True) - dim_sums)
        congestion = 1 + CONGESTION * (devices - 2)
        rate, latency = self._by_shard("link_rate", devices), self._by_shard("latency", devices)
        return congestion * np.maximum(sent, received) / rate, latency * (devices - 1)

    def _by_shard(self, name: str, shards: int) -> Float[np.ndarray, " shards"]:
        """A limit for each of the shards, which are numbered through the devices."""
        values = self.limits[name]
        if values.ndim == 0:
            return np.full(shards, values)
        if shards % len(values):
            raise ConfigError(f"device.{name} has {len(values)} values for other devices than there are; give one each")
        return np.tile(values, shards // len(values))


def _norm4(*parts: Float[np.ndarray, " shards"]) -> Float[np.ndarray, " shards"]:
    """A maximum with a round corner: limits that are near each other slow each other down."""
    return sum(part**4 for part in parts) ** 0.25  # type: ignore[return-value]


def gpu11(skew: bool = True) -> AnalyticalDevice:
    """A card with a small cache and slow links; plausible, not fitted to any."""
    return AnalyticalDevice(
        cache=4.4e6, memory_rate=4.5e8, cache_rate=1.8e9, forward_rate=4.4e6, backward_rate=3.3e6, sort_rate=1.28e7,
        launch=0.03, conflict=4e-6, latency=0.05, link_rate=6e6, skew=skew,
    )  # fmt: skip


def nvlink(skew: bool = True) -> AnalyticalDevice:
    """A card with a large cache and fast links; plausible, not fitted to any."""
    return AnalyticalDevice(
        cache=3.2e7, memory_rate=1.2e9, cache_rate=4.5e9, forward_rate=1.2e7, backward_rate=9e6, sort_rate=3.5e7,
        launch=0.02, conflict=4e-6, latency=0.02, link_rate=2e8, skew=skew,
    )  # fmt: skip
