"""A GPU and its links as formulas: a deterministic oracle (docs/papers/neuroshard.md#2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from array_api_compat import array_namespace
from jaxtyping import Float, Int

from data.sharding.oracles.additive import AdditiveOracle, Described
from data.sharding.tables import BINS, EmbeddingTables
from runs.errors import ConfigError, at_least

FLOAT_BYTES = 4
SECTOR_DIM = 8
"""Dimensions of fp32 in a sector of 32 bytes, the least that memory moves."""
CONGESTION = 0.06
"""Of the all-to-all, per device beyond two."""

Rate = float | Sequence[float]
"""One for all devices, or one each."""


@dataclass(frozen=True)
class OuterLinks:
    """Links between groups of devices, slower than those within.

    Parameters
    ----------
    devices
        In each of the groups, 8 for hosts of eight.
    latency
        ms of a message.
    link_rate
        Bytes per ms, of each device.

    Raises
    ------
    ConfigError
        A number is out of its range.
    """

    devices: int
    latency: float
    link_rate: float

    def __post_init__(self) -> None:
        at_least("device.outer.", devices=(self.devices, 1))
        for name in ("latency", "link_rate"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"device.outer.{name} is {getattr(self, name)}; it must be positive")


class AnalyticalDevice(AdditiveOracle):
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
    outer
        Links between hosts, racks and so on, from the innermost level to the outermost; none where all devices are linked
        alike. ``latency`` and ``link_rate`` are then those within a host, see docs/papers/neuroshard.md#2.3.
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
        outer: Sequence[OuterLinks] = (),
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
        self.outer = tuple(outer)
        self.skew = skew

    def describe(
        self, tables: EmbeddingTables, table: Int[np.ndarray, " pieces"], dim: Int[np.ndarray, " pieces"]
    ) -> Described:
        """Footprint and reuse by bin, bytes read, bytes updated, lookups issued, bytes written, lookups; the hottest row."""
        width = dim.astype(float)
        row_bytes = FLOAT_BYTES * np.maximum(width, SECTOR_DIM)
        unique, lookups = tables.unique_bins[table], tables.lookup_bins[table]
        total = lookups.sum(1)
        penalty = np.where(width < 64, 1.75, np.where(width < 128, 1.15, 1.0))
        columns = (
            total * row_bytes,
            unique.sum(1) * row_bytes,
            total * penalty * np.maximum(width, 32) / 128,
            FLOAT_BYTES * tables.batch * width,
            total,
        )
        by_bin = (unique * row_bytes[:, None], np.maximum(lookups - unique, 0) * row_bytes[:, None])
        return Described(np.column_stack([*by_bin, *columns]), tables.hot_row[table, None])

    def fused(
        self,
        added: Float[np.ndarray, "shards features"],
        largest: Float[np.ndarray, "shards peaks"],
        device: Int[np.ndarray, " shards"],
    ) -> Float[np.ndarray, " shards"]:
        """Forward and backward pass of shards that hold something."""
        xp = array_namespace(added)
        limit = {
            name: xp.asarray(values if values.ndim == 0 else values[device]) for name, values in self.limits.items()
        }
        footprint, reused = added[:, :BINS], added[:, BINS : 2 * BINS]
        read, updated, issued, written, lookups = added[:, 2 * BINS :].T
        hotter = xp.flip(xp.cumulative_sum(xp.flip(footprint, axis=1), axis=1), axis=1) - footprint
        room = xp.minimum(xp.clip(limit["cache"][..., None] - hotter, 0), footprint)
        cached = room / xp.where(footprint > 0, footprint, 1)
        from_memory = read - xp.sum(cached * reused, axis=1)
        from_cache = read / limit["cache_rate"]
        forward = limit["launch"] + written / limit["memory_rate"]
        forward = forward + _norm4(from_memory / limit["memory_rate"], from_cache, issued / limit["forward_rate"])
        return (
            forward
            + 2 * limit["launch"]
            + lookups / limit["sort_rate"]
            + _norm4(
                (2 * updated + from_memory / 2) / limit["memory_rate"],
                from_cache,
                issued / limit["backward_rate"],
                largest[:, 0] * limit["conflict"],
            )
        )

    def backward_communication(
        self, tables: EmbeddingTables, dim_sums: Float[np.ndarray, "plans devices"]
    ) -> Float[np.ndarray, "plans devices"]:
        """Each device waits for its own messages, and for half of the slowest device's."""
        xp = array_namespace(dim_sums)
        return sum(
            latency + xp.maximum(transfers, xp.max(transfers, axis=1, keepdims=True) / 2)
            for transfers, latency in self._transfers(tables, dim_sums)
        )  # type: ignore[return-value]

    def forward_communication(
        self,
        tables: EmbeddingTables,
        dim_sums: Float[np.ndarray, "plans devices"],
        start: Float[np.ndarray, "plans devices"],
    ) -> Float[np.ndarray, "plans devices"]:
        """All devices wait for the slowest transfer and for the last to begin."""
        xp = array_namespace(dim_sums)
        ended = xp.max(start, axis=1, keepdims=True) - start
        return ended + sum(
            latency + xp.max(transfers, axis=1, keepdims=True)
            for transfers, latency in self._transfers(tables, dim_sums)
        )

    def _transfers(
        self, tables: EmbeddingTables, dim_sums: Float[np.ndarray, "plans devices"]
    ) -> Iterator[tuple[Float[np.ndarray, "plans devices"], np.ndarray]]:
        """Of each level of links, ms of each device's larger direction, and of the latencies of its messages.

        Devices of a group first exchange what goes to their counterparts in other groups, so that of the levels further out
        each device carries an equal part of its group's load.
        """
        xp = array_namespace(dim_sums)
        plans, devices = dim_sums.shape
        per_dim = FLOAT_BYTES * tables.batch / devices
        limits = [(self.limits["latency"], self.limits["link_rate"])]
        limits += [(np.asarray(level.latency), np.asarray(level.link_rate)) for level in self.outer]
        sizes = [1, *(level.devices for level in self.outer), devices]
        held = dim_sums
        for (size, larger_size), (latency, rate) in zip(pairwise(sizes), limits, strict=True):
            groups = larger_size // size
            whole = xp.sum(xp.reshape(held, (plans, devices // larger_size, groups)), axis=2)
            sent = per_dim * (devices / larger_size) * held * (groups - 1)
            received = per_dim * (devices / larger_size) * (xp.repeat(whole, groups, axis=1) - held)
            congestion = 1 + CONGESTION * (groups - 2)
            larger = xp.repeat(xp.maximum(sent, received), size, axis=1)
            yield congestion * larger / xp.asarray(rate), xp.asarray(latency * (groups - 1))
            held = whole

    def check(self, devices: int) -> None:
        """Refuse limits of another number of devices, and groups into which they cannot be parted.

        Raises
        ------
        ConfigError
            Names the limit.
        """
        sizes = [*(level.devices for level in self.outer), devices]
        for size, larger_size in pairwise(sizes):
            if larger_size % size:
                raise ConfigError(
                    f"device.outer links groups of {size} devices, and {larger_size} cannot be parted into such groups"
                )
        for name, values in self.limits.items():
            if values.ndim and len(values) != devices:
                raise ConfigError(
                    f"device.{name} has {len(values)} values, and there are {devices} devices; give one each"
                )


def _norm4(*parts: Float[np.ndarray, " shards"]) -> Float[np.ndarray, " shards"]:
    """A maximum with a round corner: limits that are near each other slow each other down."""
    return sum(part**4 for part in parts) ** 0.25  # type: ignore[return-value]


def gpu11(outer: Sequence[OuterLinks] = (), skew: bool = True) -> AnalyticalDevice:
    """A card with a small cache and slow links; plausible, not fitted to any."""
    return AnalyticalDevice(
        cache=4.4e6, memory_rate=4.5e8, cache_rate=1.8e9, forward_rate=4.4e6, backward_rate=3.3e6, sort_rate=1.28e7,
        launch=0.03, conflict=4e-6, latency=0.05, link_rate=6e6, outer=outer, skew=skew,
    )  # fmt: skip


def nvlink(outer: Sequence[OuterLinks] = (), skew: bool = True) -> AnalyticalDevice:
    """A card with a large cache and fast links; plausible, not fitted to any."""
    return AnalyticalDevice(
        cache=3.2e7, memory_rate=1.2e9, cache_rate=4.5e9, forward_rate=1.2e7, backward_rate=9e6, sort_rate=3.5e7,
        launch=0.02, conflict=4e-6, latency=0.02, link_rate=2e8, outer=outer, skew=skew,
    )  # fmt: skip
