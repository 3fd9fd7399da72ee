"""Costs of shards and communications, as an oracle states them: what cost networks learn (docs/papers/neuroshard.md#4.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from data.regression.samples import ABSENT, Samples, SampleSource
from data.sharding.features import piece_features
from data.sharding.oracles.oracle import CostOracle
from data.sharding.plan import Pieces
from data.sharding.problem import GIB
from data.sharding.samples import DIMS, communication_samples, shard_samples
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError, at_least

SINGLE = "single"
"""Instead of features: what each piece costs alone, by the oracle."""
PARTS = ("all", "seen", "held")


class ShardCosts(SampleSource):
    """Computation of random shards.

    A sample's ``pieces`` are places in the ``features`` of all pieces there are, which is every table with every dimension.

    Parameters
    ----------
    pool
        Makes the tables.
    device
        Prices the shards.
    features
        Of a piece: a key of :data:`data.sharding.features.FEATURES`, or ``single``.
    seed
        Shard k of the samples is drawn from the stream ``numpy.random.default_rng([seed, k])``.
    most
        Pieces of a shard.
    memory_gib
        A shard that needs more is drawn anew.
    any_dim
        False: every table has one dimension in all samples.
    part
        Of the pool's tables: ``all``; or, of two that together are all, ``seen`` or ``held``.
    held_share
        Of the tables in ``held``.
    per_shard
        Samples that are made and stored together.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    stratum = "pieces in the shard"
    presentation = ("features",)

    def __init__(
        self,
        pool: Callable[[], EmbeddingTables],
        device: CostOracle,
        features: str = "authors",
        seed: int = 0,
        most: int = 15,
        memory_gib: float = 4,
        any_dim: bool = True,
        part: str = "all",
        held_share: float = 0.1,
        per_shard: int = 1024,
    ) -> None:
        at_least("data.source.", seed=(seed, 0), most=(most, 1), per_shard=(per_shard, 1))
        if part not in PARTS:
            raise ConfigError(f"data.source.part is '{part}'; choose {', '.join(PARTS)}")
        if not 0 < held_share < 1:
            raise ConfigError(f"data.source.held_share is {held_share}; give a number between 0 and 1")
        if not memory_gib > 0:
            raise ConfigError(f"data.source.memory_gib is {memory_gib}; it must be positive")
        self.pool, self.device, self.features, self.seed = pool, device, features, seed
        self.most, self.memory, self.any_dim = most, int(memory_gib * GIB), any_dim
        self.part, self.held_share, self.per_shard = part, held_share, per_shard

    @cached_property
    def tables(self) -> EmbeddingTables:
        """All of the pool."""
        return self.pool()

    @cached_property
    def drawn(self) -> Int[np.ndarray, " some"]:
        """The tables that samples are drawn from."""
        order = np.random.default_rng(0).permutation(len(self.tables))
        held = max(1, round(self.held_share * len(order)))
        return np.sort({"all": order, "held": order[:held], "seen": order[held:]}[self.part])

    def shard(self, number: int) -> Samples:
        """So many shards of pieces and what they cost, in ms."""
        rng = np.random.default_rng([self.seed, number])
        chosen = self.tables.take(self.drawn)
        dims = None if self.any_dim else np.random.default_rng(self.seed).choice(DIMS, len(self.tables))[self.drawn]
        drawn = shard_samples(chosen, self.per_shard, rng, self.most, self.memory, dims)
        pieces = Pieces(self.drawn[drawn.table], drawn.dim, drawn.shard)
        costs = self.device.compute(self.tables, pieces, self.per_shard, 1)
        sizes = np.bincount(pieces.shard, minlength=self.per_shard)
        places = np.full((self.per_shard, self.most), ABSENT, np.int32)
        places[np.arange(self.most) < sizes[:, None]] = pieces.table * len(DIMS) + np.searchsorted(DIMS, pieces.dim)
        return Samples({"pieces": places}, costs)

    def pieces(self, samples: Samples) -> Pieces:
        """The pieces of samples, whose shards are numbered through."""
        places = samples.inputs["pieces"]
        held = places != ABSENT
        table, dim = np.divmod(places[held], len(DIMS))
        return Pieces(table.astype(np.int64), DIMS[dim], np.nonzero(held)[0])

    def shared(self) -> Mapping[str, np.ndarray]:
        """(tables x dimensions, features) of every piece there is."""
        table, dim = np.repeat(np.arange(len(self.tables)), len(DIMS)), np.tile(DIMS, len(self.tables))
        if self.features != SINGLE:
            return {"features": piece_features(self.tables, table, dim, self.features)}
        alone = self.device.compute(self.tables, Pieces(table, dim, np.arange(len(table))), len(table), 1)
        return {"features": alone[:, None]}

    def strata(self, samples: Samples) -> Float[np.ndarray, " samples"]:
        """How many pieces a shard holds."""
        return (samples.inputs["pieces"] != ABSENT).sum(1).astype(float)

    def identity(self) -> Mapping[str, Any]:
        """The oracle's."""
        return self.device.identity()


class CommunicationCosts(SampleSource):
    """One of the two all-to-all communications of a number of devices.

    Parameters
    ----------
    pool, device
        Whose batch is sent, and what that costs.
    devices
        D.
    direction
        ``backward``: from ``dim_sums``; ``forward``: from these and ``start``.
    seed
        As in :class:`ShardCosts`.
    fewest, most, balanced
        See :func:`data.sharding.samples.communication_samples`.
    per_shard
        Samples that are made and stored together.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    stratum = "largest sum of dimensions over the mean"

    def __init__(
        self,
        pool: Callable[[], EmbeddingTables],
        device: CostOracle,
        devices: int,
        direction: str,
        seed: int = 0,
        fewest: int = 10,
        most: int = 59,
        balanced: bool = False,
        per_shard: int = 1024,
    ) -> None:
        at_least("data.source.", devices=(devices, 1), seed=(seed, 0), fewest=(fewest, 1), most=(most, fewest))
        at_least("data.source.", per_shard=(per_shard, 1))
        if direction not in ("backward", "forward"):
            raise ConfigError(f"data.source.direction is '{direction}'; choose backward or forward")
        self.pool, self.device, self.devices, self.direction = pool, device, devices, direction
        self.seed, self.fewest, self.most, self.balanced = seed, fewest, most, balanced
        self.per_shard = per_shard

    @cached_property
    def tables(self) -> EmbeddingTables:
        """All of the pool."""
        return self.pool()

    def shard(self, number: int) -> Samples:
        """So many communications and what they cost each device, in ms."""
        rng = np.random.default_rng([self.seed, number])
        drawn = communication_samples(self.devices, self.per_shard, rng, self.fewest, self.most, self.balanced)
        if self.direction == "backward":
            costs = self.device.backward_communication(self.tables, drawn.dim_sums)
            return Samples({"dim_sums": drawn.dim_sums}, costs)
        costs = self.device.forward_communication(self.tables, drawn.dim_sums, drawn.start)
        return Samples({"dim_sums": drawn.dim_sums, "start": drawn.start}, costs)

    def strata(self, samples: Samples) -> Float[np.ndarray, " samples"]:
        """How uneven the sums of dimensions are."""
        sums = samples.inputs["dim_sums"]
        return sums.max(1) / sums.mean(1)

    def identity(self) -> Mapping[str, Any]:
        """The oracle's."""
        return self.device.identity()
