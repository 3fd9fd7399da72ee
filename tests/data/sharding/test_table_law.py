"""The law of tables: its expectations by brute force, by drawing, and against the stored reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import poisson

from data.sharding.table_law import LookupLaw, law_tables
from data.sharding.tables import BIN_ENDS, BINS, EmbeddingTables
from runs.errors import ConfigError, InvalidProblem


@pytest.mark.parametrize(
    ("field", "stored"),
    [
        ("rows", "rows"),
        ("pooling_factor", "pooling"),
        ("unique_bins", "unique_bins"),
        ("lookup_bins", "lookup_bins"),
        ("hot_row", "hot_row"),
    ],
)
def test_tables_of_given_normals_are_those_of_the_reference(
    reference: dict[str, np.ndarray], reference_tables: EmbeddingTables, field: str, stored: str
) -> None:
    values, expected = getattr(reference_tables, field), reference[stored]
    scale = np.abs(expected).max(axis=-1, keepdims=True) if expected.ndim > 1 else np.abs(expected)
    assert np.max(np.abs(values - expected) / scale) < 1e-9


def small_law() -> LookupLaw:
    return LookupLaw(
        np.array([300, 5]), np.array([2.0, 0.5]), np.array([0.9, 1.1]), np.array([0.6, 0.2]), np.array([0.3, 0])
    )


def test_bins_are_expectations_of_poisson_counts() -> None:
    batch = 100
    law = small_law()
    popularity, width = law.popularity()
    unique, lookups = law.expected_bins(batch)
    counts = np.arange(1, 3000)
    bins = np.searchsorted(BIN_ENDS, counts)
    for table in range(2):
        expected = np.zeros((2, BINS))
        for share, rows in zip(popularity[table], width[table], strict=True):
            chance = poisson.pmf(counts, batch * law.pooling_factor[table] * share)
            np.add.at(expected[0], bins, rows * chance)
            np.add.at(expected[1], bins, rows * counts * chance)
        np.testing.assert_allclose(unique[table], expected[0], atol=1e-9)
        np.testing.assert_allclose(lookups[table], expected[1], atol=1e-9)


def test_shares_and_lookups_add_up() -> None:
    law = small_law()
    popularity, width = law.popularity()
    np.testing.assert_allclose(np.sum(popularity * width, axis=1), 1)
    np.testing.assert_allclose(law.expected_bins(1000)[1].sum(1), 1000 * law.pooling_factor)
    np.testing.assert_allclose(width.sum(1), law.rows)


def test_the_hottest_row_is_the_first_of_the_power_or_any_of_the_spread() -> None:
    law = small_law()
    power = sum(rank**-0.9 for rank in range(1, 301))
    assert law.hot_row(100)[0] == pytest.approx(200 * 0.6 / power)
    assert law.hot_row(100)[1] == pytest.approx(50 * max(0.2 / sum(rank**-1.1 for rank in range(1, 6)), 1 / 5))


def test_a_pool_grows_without_changing_what_it_had() -> None:
    few, many = law_tables(3, seed=5), law_tables(9, seed=5)
    np.testing.assert_array_equal(few.unique_bins, many.unique_bins[:3])
    assert law_tables(2, seed=5, first=7).names == many.names[7:]
    assert not np.array_equal(few.rows, law_tables(3, seed=6).rows)


def test_the_pool_is_like_the_public_lookups() -> None:
    """Histogram of unique rows of the 2021 set as its own statistics state it; totals per table."""
    pool = law_tables(856, seed=0)
    share = pool.unique_bins.sum(0) / pool.unique_bins.sum()
    np.testing.assert_allclose(share[:8], [0.473, 0.152, 0.139, 0.112, 0.072, 0.032, 0.011, 0.005], atol=0.04)
    assert pool.pooling_factor.mean() == pytest.approx(15.8, rel=0.15)
    assert pool.unique_bins.sum() == pytest.approx(1.28e8, rel=0.25)


def test_a_typical_table_of_known_size_is_the_law_without_chance() -> None:
    law = LookupLaw.of_sizes(np.array([1000]), np.array([4.0]), 64)
    assert law.exponent[0] == 0.952
    assert law.head[0] == pytest.approx(1 / (1 + math.exp(-0.373)))


def test_a_table_taken_twice_has_two_names(pool: EmbeddingTables) -> None:
    taken = pool.take([4, 1, 4])
    assert taken.names == ("table4", "table1", "table4#2")
    np.testing.assert_array_equal(taken.rows, pool.rows[[4, 1, 4]])
    taken.validate()


def test_reuse_is_a_share_and_zero_where_nothing_is_looked_up(pool: EmbeddingTables) -> None:
    np.testing.assert_allclose(pool.reuse_bins.sum(1), 1)
    idle = LookupLaw.of_sizes(np.array([10]), np.array([0.0]), 8).tables(["idle"], 8)
    assert idle.reuse_bins.tolist() == [[0.0] * BINS]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ()}, "there is no embedding table"),
        ({"names": ("a", "a")}, "two tables are called 'a'"),
        ({"rows": np.array([5, 0])}, "table 'b': rows is 0; expected at least 1"),
        ({"pooling_factor": np.array([1.0, -1.0])}, "table 'b': pooling_factor is -1"),
        ({"hot_row": np.array([np.nan, 1.0])}, "table 'a': hot_row is nan"),
        ({"unique_bins": np.full((2, BINS), -2.0)}, "table 'a': unique_bins is -2"),
        ({"lookup_bins": np.zeros((2, 3))}, r"lookup_bins has shape \(2, 3\); expected \(2, 17\)"),
        ({"batch": 0}, "batch is 0"),
    ],
)
def test_tables_that_break_their_format_are_named(change: dict, message: str) -> None:
    good = LookupLaw.of_sizes(np.array([5, 6]), np.array([1.0, 2.0]), 8).tables(["a", "b"], 8)
    with pytest.raises(InvalidProblem, match=message):
        EmbeddingTables(**(vars(good) | change)).validate()


@pytest.mark.parametrize(
    ("settings", "name"), [({"count": 0}, "count"), ({"seed": -1}, "seed"), ({"batch": 0}, "batch")]
)
def test_a_number_out_of_range_is_named(settings: dict, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is"):
        law_tables(**({"count": 1, "seed": 0} | settings))
