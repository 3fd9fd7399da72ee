"""Tasks as the papers draw them, and their text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.sharding.oracles.analytical import gpu11
from data.sharding.problem import GIB
from data.sharding.tables import EmbeddingTables
from data.sharding.tasks import BenchmarkTasks, Draw, HalvedTasks, problem_of, read_tasks, write_tasks
from runs.errors import ConfigError, InvalidProblem


def test_a_task_of_the_benchmark_keeps_its_ranges_and_fits(pool: EmbeddingTables) -> None:
    draws = [BenchmarkTasks(max_dim=64).draw(pool, 4, np.random.default_rng(seed)) for seed in range(200)]
    assert {10, 59} < {len(draw.tables) for draw in draws} < set(range(10, 60))
    assert {int(dim) for draw in draws for dim in draw.dims} == {4, 8, 16, 32, 64}
    assert any(len(set(draw.tables.tolist())) < len(draw.tables) for draw in draws), "with replacement"
    for draw in draws:
        problem = problem_of(draw, pool, [4 * GIB] * 4, gpu11(), "task")
        problem.validate()
        assert int(problem.column_bytes @ problem.dims) <= 15 * GIB


def test_a_task_that_can_hardly_be_small_enough_ends_with_the_size_that_was_expected(pool: EmbeddingTables) -> None:
    with pytest.raises(
        ConfigError, match=r"no task of 1000 draws fits in 0.001 GiB; 50 to 50 tables need .* on average"
    ):
        BenchmarkTasks(50, 50, total_gib=0.001).draw(pool, 4, np.random.default_rng(0))


def test_halves_share_no_table_and_a_task_repeats_none(pool: EmbeddingTables) -> None:
    drawn = {}
    for half in ("train", "test"):
        draws = [HalvedTasks(12, half=half).draw(pool, 2, np.random.default_rng(seed)) for seed in range(30)]
        assert all(len(set(draw.tables.tolist())) == 12 and set(draw.dims.tolist()) == {16} for draw in draws)
        drawn[half] = {int(table) for draw in draws for table in draw.tables}
    assert len(drawn["train"]) == len(drawn["test"]) == 20
    assert not drawn["train"] & drawn["test"]
    with pytest.raises(ConfigError, match="count is 21, and the test half of the pool has 20 tables"):
        HalvedTasks(21).draw(pool, 2, np.random.default_rng(0))


def test_text_of_tasks_is_read_back(pool: EmbeddingTables, tmp_path: Path) -> None:
    draws = [BenchmarkTasks().draw(pool, 4, np.random.default_rng(seed)) for seed in range(3)]
    (tmp_path / "tasks.txt").write_text(write_tasks(draws) + "\n")
    for one, other in zip(draws, read_tasks(tmp_path / "tasks.txt", len(pool)), strict=True):
        np.testing.assert_array_equal(one.tables, other.tables)
        np.testing.assert_array_equal(one.dims, other.dims)
    assert write_tasks([Draw(np.array([3, 1]), np.array([4, 128]))]) == "3,1 4,128\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2 4,8\n1 2 3\n", "line 2: 3 fields"),
        ("1,x 4,8", "line 1: .*whole numbers"),
        ("1,2 4", "line 1: 2 tables and 1 dimensions"),
        ("1,40 4,8", "line 1: table 40; the pool has 40"),
        ("1,2 4,6", "line 1: dimension 6"),
        ("\n", "holds no task"),
    ],
)
def test_a_line_that_is_no_task_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "tasks.txt").write_text(text)
    with pytest.raises(InvalidProblem, match=message):
        read_tasks(tmp_path / "tasks.txt", 40)
    with pytest.raises(InvalidProblem, match="cannot be read"):
        read_tasks(tmp_path / "none.txt", 40)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BenchmarkTasks(5, 3), "fewest is 5 and most 3"),
        (lambda: BenchmarkTasks(max_dim=24), "max_dim is 24"),
        (lambda: BenchmarkTasks(total_gib=0), "total_gib is 0"),
        (lambda: HalvedTasks(3, dim=6), "dim 6"),
        (lambda: HalvedTasks(3, half="both"), "half is 'both'"),
    ],
)
def test_a_setting_that_makes_no_task_is_named(make, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
