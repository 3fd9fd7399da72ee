"""Drawn lookups: rows occur as often as the law, or the bins of a table, say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.sharding.lookups import LEAST_RATE, Popularity, _scattered, fingerprint, histogram, sample
from data.sharding.table_law import NORMALS, LookupLaw, law_tables
from data.sharding.tables import BINS, EmbeddingTables

BATCH = 4096


def law() -> LookupLaw:
    normals = np.stack([np.random.default_rng([3, i]).normal(size=NORMALS) for i in range(12)])
    return LookupLaw.of_normals(normals, BATCH)


def test_counts_are_put_into_the_bins_of_powers_of_two() -> None:
    found = histogram(np.repeat(np.arange(6), [1, 2, 3, 4, 5, 40_000]))
    assert found.unique.tolist() == [1, 1, 2, 1, *[0] * (BINS - 5), 1]
    assert found.lookups.tolist() == [1, 2, 7, 5, *[0] * (BINS - 5), 40_000]
    assert found.hot_row == 40_000
    assert not histogram(np.empty(0, np.int64)).unique.any()


@pytest.mark.parametrize("source", ["bins", "law"])
def test_rows_of_the_law_are_looked_up_as_often_as_it_expects(source: str) -> None:
    tables = law_tables(12, seed=3, batch=BATCH)
    unique, lookups = np.zeros(BINS), np.zeros(BINS)
    for table in range(12):
        popularity = Popularity.of_bins(tables, table) if source == "bins" else Popularity.of_law(law(), table)
        drawn = popularity.sample(BATCH, np.random.default_rng(table))
        assert drawn.indices.max() < tables.rows[table] and drawn.indices.min() >= 0
        assert len(drawn.offsets) == BATCH + 1 and drawn.offsets[-1] == len(drawn.indices)
        found = histogram(drawn.indices)
        expected = tables.unique_bins[table].sum()
        assert abs(found.unique.sum() - expected) < 0.05 * expected + 4 * np.sqrt(expected)
        unique, lookups = unique + found.unique, lookups + found.lookups
    expected_unique, expected_lookups = tables.unique_bins.sum(0), tables.lookup_bins.sum(0)
    assert np.abs(unique - expected_unique).sum() < 0.03 * expected_unique.sum()
    assert np.abs(lookups - expected_lookups).sum() < 0.06 * expected_lookups.sum()


def test_a_smaller_batch_of_the_same_rows_repeats_fewer_of_them() -> None:
    of_bins = Popularity.of_bins(law_tables(1, seed=3, batch=BATCH), 0)
    few = [p.sample(512, np.random.default_rng(0)) for p in (of_bins, Popularity.of_law(law(), 0))]
    unique = [histogram(drawn.indices).unique.sum() for drawn in few]
    assert unique[0] == pytest.approx(unique[1], rel=0.2)


def test_a_hundred_million_rows_take_no_memory_of_their_own() -> None:
    popularity = Popularity(10**8, 2.0, np.array([0.0, 10**8]), np.array([0.0, 1.0]))
    drawn = popularity.sample(1000, np.random.default_rng(0))
    assert drawn.indices.max() > 9 * 10**7 and len(np.unique(drawn.indices)) > 1900


@given(st.integers(1, 3000))
@settings(max_examples=40, deadline=None)
def test_ranks_lie_on_rows_one_by_one(rows: int) -> None:
    assert np.array_equal(np.sort(_scattered(np.arange(rows), rows)), np.arange(rows))


@given(st.integers(1, 10**7), st.floats(0.01, 50), st.integers(1, 64), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_any_table_gives_rows_of_its_own(rows: int, pooling: float, batch: int, seed: int) -> None:
    tables = LookupLaw.of_sizes(np.array([rows]), np.array([pooling]), batch).tables(["t"], batch)
    drawn = sample(tables, 0, batch, np.random.default_rng(seed))
    assert ((drawn.indices >= 0) & (drawn.indices < rows)).all()
    assert (np.diff(drawn.offsets) >= 0).all()


def test_a_table_that_is_never_looked_up_has_no_lookups() -> None:
    zeros = np.zeros((1, BINS))
    tables = EmbeddingTables(("t",), np.array([10]), np.zeros(1), zeros, zeros, np.zeros(1), 8)
    assert not len(sample(tables, 0, 8, np.random.default_rng(0)).indices)
    assert LEAST_RATE < 1


def test_a_table_is_known_by_its_numbers_whatever_its_name(pool: EmbeddingTables) -> None:
    twice = pool.take([4, 4, 5])
    assert fingerprint(twice, 0) == fingerprint(twice, 1) == fingerprint(pool, 4) != fingerprint(twice, 2)
