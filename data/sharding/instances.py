"""Sharding tasks, drawn or read from a file, as the data of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int
from torch.utils.data import Dataset

from data.modules import ProblemData
from data.sharding.oracles.oracle import CostOracle
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.tables import EmbeddingTables
from data.sharding.tasks import BenchmarkTasks, Draw, HalvedTasks, problem_of, read_tasks
from runs.errors import ConfigError, at_least


class ShardingTasks(ProblemData):
    """Tasks over the tables of a pool (docs/papers/neuroshard.md#2.4).

    ``test_problems`` holds items ``(index, ShardingProblem)``.

    Parameters
    ----------
    pool
        Makes the tables that tasks are drawn from; called when the first is needed.
    device
        What plans cost.
    devices
        How many.
    memory_gib
        Of a device: one number for all, or one each.
    tasks
        Draws task i from the stream ``numpy.random.default_rng([seed, i])``.
    path
        Text file of tasks, a line each, which replaces ``tasks``.
    count
        Number of tasks; null for all of a file.
    first
        Index of the first.
    seed
        Of the drawn tasks.
    bytes_per_weight
        4 for fp32, 2 for fp16.
    name
        Of the set; a task is called ``<name>-<index>``.
    training
        Whether something learns on these: tasks of halved pools are then drawn from the other half.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(
        self,
        pool: Callable[[], EmbeddingTables],
        device: CostOracle,
        devices: int,
        memory_gib: float | Sequence[float],
        tasks: BenchmarkTasks | HalvedTasks | None = None,
        path: str | Path | None = None,
        count: int | None = None,
        first: int = 0,
        seed: int = 0,
        bytes_per_weight: int = 4,
        name: str = "sharding",
        training: bool = False,
    ) -> None:
        super().__init__()
        if path is None and (tasks is None or count is None):
            raise ConfigError("data.path is null; give data.tasks and data.count, or a file of tasks")
        at_least(
            "data.", devices=(devices, 1), first=(first, 0), seed=(seed, 0), bytes_per_weight=(bytes_per_weight, 1)
        )
        if count is not None:
            at_least("data.", count=(count, 1))
        self.pool, self.device, self.devices = pool, device, devices
        self.memory = memory_of(memory_gib, devices)
        self.tasks, self.path = tasks.for_training() if training and tasks is not None else tasks, path
        self.count, self.first, self.seed = count, first, seed
        self.bytes_per_weight, self.name = bytes_per_weight, name

    def setup(self, stage: str | None = None) -> None:
        """Make the pool, and read the file of tasks if there is one.

        Raises
        ------
        InvalidProblem
            The file breaks its format.
        ConfigError
            ``first`` is beyond its last task.
        """
        if self.test_problems is not None:
            return
        pool = self.pool()
        drawn = None if self.path is None else read_tasks(self.path, len(pool))[self.first :][: self.count]
        if drawn is not None and not drawn:
            raise ConfigError(f"data.first is {self.first}, and {self.path} has no more tasks; give a smaller one")
        self.test_problems = _Tasks(self, pool, drawn)

    def problem(self, index: int, draw: Draw, pool: EmbeddingTables) -> ShardingProblem:
        """The drawn tables on this run's devices."""
        name = f"{self.name}-{index:04d}"
        return problem_of(draw, pool, self.memory, self.device, name, self.bytes_per_weight)


class _Tasks(Dataset[tuple[int, ShardingProblem]]):
    """Tasks of a file, or drawn one by one."""

    def __init__(self, data: ShardingTasks, pool: EmbeddingTables, drawn: Sequence[Draw] | None) -> None:
        self.data, self.pool, self.drawn = data, pool, drawn

    def __len__(self) -> int:
        return len(self.drawn) if self.drawn is not None else self.data.count  # type: ignore[return-value]

    def __getitem__(self, position: int) -> tuple[int, ShardingProblem]:
        if not 0 <= position < len(self):
            raise IndexError(position)
        index = self.data.first + position
        if self.drawn is not None:
            return index, self.data.problem(index, self.drawn[position], self.pool)
        assert self.data.tasks is not None
        rng = np.random.default_rng([self.data.seed, index])
        return index, self.data.problem(
            index, self.data.tasks.draw(self.pool, self.data.bytes_per_weight, rng), self.pool
        )


def memory_of(gib: float | Sequence[float], devices: int) -> Int[np.ndarray, " devices"]:
    """Bytes of every device, from one number in GiB for all or one each.

    Raises
    ------
    ConfigError
        There are too few or too many numbers, or one is not positive.
    """
    values = np.asarray(gib, dtype=float)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != devices):
        raise ConfigError(
            f"data.memory_gib has {values.size} numbers, and there are {devices} devices; give one for all, or one each"
        )
    if not (np.isfinite(values) & (values > 0)).all():
        raise ConfigError(f"data.memory_gib is {gib}; it must be positive")
    return np.broadcast_to((values * GIB).astype(np.int64), (devices,)).copy()
