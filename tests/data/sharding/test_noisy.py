"""Noise that a shard's content decides."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from data.sharding.oracles.analytical import gpu11
from data.sharding.oracles.noisy import Noisy
from data.sharding.plan import Pieces
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError


def shards(count: int, tables: int, seed: int = 0) -> Pieces:
    rng = np.random.default_rng(seed)
    table, dim = rng.integers(tables, size=5 * count), rng.choice([4, 8, 16, 32, 64, 128], size=5 * count)
    return Pieces(table, dim, np.repeat(np.arange(count), 5))


def test_the_same_shard_costs_the_same_wherever_and_in_whatever_order_it_stands(pool: EmbeddingTables) -> None:
    noisy, pieces = Noisy(gpu11(), 0.1), shards(20, len(pool))
    order = np.random.default_rng(1).permutation(len(pieces.table))
    shuffled = Pieces(pieces.table[order], pieces.dim[order], 19 - pieces.shard[order])
    found = noisy.compute(pool, pieces, 20, 4)
    np.testing.assert_allclose(noisy.compute(pool, shuffled, 20, 4)[::-1], found, rtol=1e-12)


def test_noise_is_lognormal_of_the_given_spread_and_another_seed_is_another(pool: EmbeddingTables) -> None:
    pieces, exact = shards(3000, len(pool)), gpu11()
    logs = [
        np.log(Noisy(exact, 0.2, seed).compute(pool, pieces, 3000, 4) / exact.compute(pool, pieces, 3000, 4))
        for seed in (0, 1)
    ]
    assert stats.kstest(logs[0] / 0.2, "norm").pvalue > 0.01
    assert abs(np.corrcoef(logs)[0, 1]) < 0.1


def test_no_spread_is_no_noise_and_a_negative_one_is_refused(pool: EmbeddingTables) -> None:
    pieces = shards(8, len(pool))
    plain = gpu11().price(pool, pieces, 4, 2)
    np.testing.assert_array_equal(Noisy(gpu11(), 0).price(pool, pieces, 4, 2).plan, plain.plan)
    with pytest.raises(ConfigError, match=r"device\.spread is -1"):
        Noisy(gpu11(), -1)
