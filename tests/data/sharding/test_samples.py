"""Features in the authors' order, and the samples that costs are learned from."""

from __future__ import annotations

import numpy as np
import pytest

from data.sharding.features import AUTHORS, FEATURES, piece_features
from data.sharding.problem import GIB
from data.sharding.samples import DIMS, communication_samples, shard_samples
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError


def test_the_authors_features_stand_in_the_order_of_their_names(pool: EmbeddingTables) -> None:
    assert AUTHORS[:4] == ("bin_0", "bin_1", "bin_10", "bin_11")
    assert AUTHORS[-4:] == ("bin_9", "dim", "pooling_factor", "row")
    row = piece_features(pool, np.array([7]), np.array([64]))[0]
    assert row[-3:].tolist() == [64.0, pool.pooling_factor[7], pool.rows[7]]
    assert row[2] == pool.reuse_bins[7, 10]


def test_our_features_are_logarithms_and_products(pool: EmbeddingTables) -> None:
    row = dict(zip(FEATURES["log"], piece_features(pool, np.array([7]), np.array([64]), "log")[0], strict=True))
    assert row["log_dim"] == 6
    assert row["dim_pooling"] == 64 * pool.pooling_factor[7]
    assert row["gib"] == pytest.approx(pool.rows[7] * 64 * 4 / GIB)
    assert len(row) == 23
    with pytest.raises(ConfigError, match="features is 'all'"):
        piece_features(pool, np.array([7]), np.array([64]), "all")


def test_shards_have_1_to_15_tables_of_every_dimension_and_fit(pool: EmbeddingTables) -> None:
    pieces = shard_samples(pool, 400, np.random.default_rng(0), memory=GIB)
    assert set(np.bincount(pieces.shard).tolist()) == set(range(1, 16))
    assert set(pieces.dim.tolist()) == set(DIMS.tolist()) == {4, 8, 16, 32, 64, 128}
    assert np.bincount(pieces.shard, weights=pool.rows[pieces.table] * pieces.dim * 4.0).max() <= GIB


def test_communications_are_of_every_balance_and_the_first_begins_at_0() -> None:
    sums, start = communication_samples(4, 300, np.random.default_rng(0))
    assert (start.min(axis=1) == 0).all() and start.max() <= 18
    spread = sums.max(axis=1) / sums.mean(axis=1)
    assert spread.min() < 1.05 and spread.max() > 1.5
    even, _ = communication_samples(4, 100, np.random.default_rng(0), balanced=True)
    assert np.ptp(even, axis=1).max() <= 128, "the last to be placed went to the least"
