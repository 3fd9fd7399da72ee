"""Sharding tasks as the two papers draw them, and their text format (docs/papers/neuroshard.md#2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from data.sharding.oracles.oracle import CostOracle
from data.sharding.plan import DIM_UNIT
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError, InvalidProblem

MOST_REDRAWS = 1000


@dataclass(frozen=True, eq=False)
class Draw:
    """The tables of a task: ids in the pool, and a dimension each."""

    tables: Int[np.ndarray, " tables"]
    dims: Int[np.ndarray, " tables"]


@dataclass(frozen=True)
class BenchmarkTasks:
    """Tasks of NeuroShard's benchmark: tables with replacement, dimensions of any power of two down from the largest.

    Parameters
    ----------
    fewest, most
        Tables of a task, the last included.
    max_dim
        The largest dimension: a power of two, at least 4.
    total_gib
        Redrawn until all tables of a task need no more.
    """

    fewest: int = 10
    most: int = 59
    max_dim: int = 128
    total_gib: float = 15.0

    def __post_init__(self) -> None:
        if not 1 <= self.fewest <= self.most:
            raise ConfigError(f"fewest is {self.fewest} and most {self.most}; give 1 <= fewest <= most")
        if self.max_dim < DIM_UNIT or self.max_dim & (self.max_dim - 1):
            raise ConfigError(f"max_dim is {self.max_dim}; give a power of two, at least {DIM_UNIT}")
        if not self.total_gib > 0:
            raise ConfigError(f"total_gib is {self.total_gib}; it must be positive")

    def for_training(self) -> BenchmarkTasks:
        """What a policy for such tasks learns on: the same law; draw from other streams."""
        return self

    def draw(self, pool: EmbeddingTables, bytes_per_weight: int, rng: np.random.Generator) -> Draw:
        """One task.

        Raises
        ------
        ConfigError
            No draw of a thousand is small enough: gives the size that was expected.
        """
        choices = DIM_UNIT * 2 ** np.arange(int(np.log2(self.max_dim // DIM_UNIT)) + 1)
        sizes = []
        for _ in range(MOST_REDRAWS):
            tables = rng.integers(len(pool), size=rng.integers(self.fewest, self.most + 1))
            dims = rng.choice(choices, size=len(tables))
            sizes.append(float(pool.rows[tables].astype(float) @ dims) * bytes_per_weight / GIB)
            if sizes[-1] <= self.total_gib:
                return Draw(tables, dims)
        raise ConfigError(
            f"no task of {MOST_REDRAWS} draws fits in {self.total_gib:.4g} GiB; {self.fewest} to {self.most} tables need "
            f"{np.mean(sizes):.4g} on average; draw fewer, or raise total_gib"
        )


@dataclass(frozen=True)
class HalvedTasks:
    """Tasks of DreamShard and SurCo: a fixed number of tables without replacement, one dimension, from one half of the pool.

    Parameters
    ----------
    count
        Tables of a task.
    dim
        Of all tables.
    half
        ``train`` or ``test``: which half of the shuffled pool.
    pool_seed
        Of the shuffle.
    """

    count: int
    dim: int = 16
    half: str = "test"
    pool_seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1 or self.dim < DIM_UNIT or self.dim % DIM_UNIT:
            raise ConfigError(f"count is {self.count} and dim {self.dim}; give at least one table and a multiple of 4")
        if self.half not in ("train", "test"):
            raise ConfigError(f"half is '{self.half}'; choose train or test")

    def for_training(self) -> HalvedTasks:
        """What a policy for such tasks learns on: tables of the other half."""
        return replace(self, half="train" if self.half == "test" else "test")

    def draw(self, pool: EmbeddingTables, bytes_per_weight: int, rng: np.random.Generator) -> Draw:
        """One task.

        Raises
        ------
        ConfigError
            The half has too few tables.
        """
        order = np.random.default_rng(self.pool_seed).permutation(len(pool))
        middle = len(pool) // 2
        half = order[:middle] if self.half == "train" else order[middle:]
        if self.count > len(half):
            raise ConfigError(f"count is {self.count}, and the {self.half} half of the pool has {len(half)} tables")
        return Draw(rng.choice(half, size=self.count, replace=False), np.full(self.count, self.dim))


def problem_of(
    draw: Draw,
    pool: EmbeddingTables,
    memory: Sequence[int] | Int[np.ndarray, " devices"],
    oracle: CostOracle,
    name: str,
    bytes_per_weight: int = 4,
) -> ShardingProblem:
    """The drawn tables on devices of so many bytes each."""
    memory = np.asarray(memory, dtype=np.int64)
    return ShardingProblem(name, pool.take(draw.tables), draw.dims, memory, oracle, bytes_per_weight)


def write_tasks(draws: Sequence[Draw]) -> str:
    """A line a task: table ids, a blank, dimensions."""
    return "".join(f"{','.join(map(str, draw.tables))} {','.join(map(str, draw.dims))}\n" for draw in draws)


def read_tasks(path: Path | str, pool_size: int) -> list[Draw]:
    """Inverse of :func:`write_tasks`.

    Raises
    ------
    InvalidProblem
        A line breaks the format, names a table that the pool has not, or a dimension that is no multiple of 4: names it.
    """
    path = Path(path)
    draws = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidProblem(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        fields = line.split()
        if len(fields) != 2:
            raise InvalidProblem(f"{where}: {len(fields)} fields; expected table ids, a blank, dimensions")
        try:
            tables, dims = (np.array([int(text) for text in field.split(",")]) for field in fields)
        except (ValueError, OverflowError) as error:
            raise InvalidProblem(f"{where}: {error}; expected whole numbers between commas") from error
        if len(tables) != len(dims):
            raise InvalidProblem(f"{where}: {len(tables)} tables and {len(dims)} dimensions; expected one each")
        if (tables < 0).any() or (tables >= pool_size).any():
            wrong = tables[(tables < 0) | (tables >= pool_size)][0]
            raise InvalidProblem(f"{where}: table {wrong}; the pool has {pool_size}, from 0")
        if (dims < DIM_UNIT).any() or (dims % DIM_UNIT).any():
            wrong = dims[(dims < DIM_UNIT) | (dims % DIM_UNIT != 0)][0]
            raise InvalidProblem(f"{where}: dimension {wrong}; expected a positive multiple of {DIM_UNIT}")
        draws.append(Draw(tables, dims))
    if not draws:
        raise InvalidProblem(f"{path} holds no task; expected a line each: table ids, a blank, dimensions")
    return draws
