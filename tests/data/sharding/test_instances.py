"""Tasks as the data of a run: which are drawn, and what is refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from data.sharding.instances import ShardingTasks, memory_of
from data.sharding.oracles.analytical import gpu11
from data.sharding.problem import GIB
from data.sharding.table_law import law_tables
from data.sharding.tasks import BenchmarkTasks, write_tasks
from runs.errors import ConfigError

POOL = partial(law_tables, 40, 3)


def tasks(**settings: object) -> ShardingTasks:
    given = {"devices": 4, "memory_gib": 4, "tasks": BenchmarkTasks(5, 9), "count": 3} | settings
    data = ShardingTasks(POOL, gpu11(), **given)  # type: ignore[arg-type]
    data.setup()
    return data


def test_a_task_does_not_depend_on_how_many_are_drawn() -> None:
    index, late = tasks(first=2, count=1).test_problems[0]
    again, same = tasks(count=3).test_problems[2]
    assert index == again == 2
    assert late.name == same.name == "sharding-0002"
    np.testing.assert_array_equal(late.dims, same.dims)
    assert late.tables.names == same.tables.names


def test_a_file_of_tasks_gives_those_tasks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    draws = [BenchmarkTasks(5, 9).draw(POOL(), 4, rng) for _ in range(3)]
    path = tmp_path / "tasks.txt"
    path.write_text(write_tasks(draws))
    found = [problem for _, problem in tasks(path=path, tasks=None, count=None, first=1).test_problems]
    assert [len(problem.tables) for problem in found] == [len(draw.tables) for draw in draws[1:]]
    np.testing.assert_array_equal(found[0].dims, draws[1].dims)


def test_a_first_task_beyond_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tasks.txt"
    path.write_text("1,2 8,16\n")
    with pytest.raises(ConfigError, match=r"data\.first is 1"):
        tasks(path=path, tasks=None, count=None, first=1)


def test_each_device_may_have_its_own_memory() -> None:
    assert memory_of([1, 2.5], 2).tolist() == [GIB, 2.5 * GIB]
    assert memory_of(2, 3).tolist() == [2 * GIB] * 3


@pytest.mark.parametrize(("gib", "says"), [([1, 2], "2 numbers, and there are 3"), (0, "must be positive")])
def test_memory_that_cannot_be_is_refused(gib: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        memory_of(gib, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"tasks": None}, "data.path is null"), ({"devices": 0}, "data.devices is 0"), ({"count": 0}, "data.count is 0")],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        tasks(**settings)
