"""One sharding task of one's own as the data of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.modules import OneProblem, ProblemData
from data.sharding.instances import memory_of
from data.sharding.oracles.oracle import CostOracle
from data.sharding.own_module import module_tables
from data.sharding.own_tables import OwnTables, read_tables
from data.sharding.problem import ShardingProblem
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError, at_least

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class OwnProblem(ShardingProblem):
    """A task whose ``assumptions`` say what was taken for granted of its tables, in sentences."""

    assumptions: tuple[str, ...] = ()


def own_problem(
    tables: OwnTables, device: CostOracle, devices: int, memory_gib: float | Sequence[float], name: str = "own"
) -> OwnProblem:
    """The task of placing some tables, checked.

    Raises
    ------
    InvalidProblem
        The tables break their format, or no plan can hold them: names the table; of memory, what is needed and had.
    """
    problem = OwnProblem(
        name,
        tables.tables,
        tables.dims,
        memory_of(memory_gib, devices),
        device,
        tables.bytes_per_weight,
        tables.pinned,
        tables.most_pieces,
        tables.notes,
    )
    problem.validate()
    return problem


class OwnSharding(ProblemData):
    """The tables of a CSV file, or of a torch module.

    ``test_problems`` holds one item ``(0, OwnProblem)``.

    Parameters
    ----------
    device
        What plans cost.
    devices
        How many.
    memory_gib
        Of a device: one number for all, or one each.
    path
        CSV file, see :func:`data.sharding.own_tables.read_tables`.
    module
        ``package.module:function`` that returns a torch module, see :func:`data.sharding.own_module.module_tables`.
    pooling_factor
        Mean lookups per sample of the tables of a module.
    batch
        Samples of a batch.
    pool
        Makes other tables, which networks that the search needs are trained on.
    name
        Of the task.

    Raises
    ------
    ConfigError
        A setting is out of its range, or there is not exactly one of ``path`` and ``module``.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(
        self,
        device: CostOracle,
        devices: int,
        memory_gib: float | Sequence[float],
        path: str | None = None,
        module: str | None = None,
        pooling_factor: float = 1.0,
        batch: int = 65_536,
        pool: Callable[[], EmbeddingTables] | None = None,
        name: str = "own",
    ) -> None:
        super().__init__()
        if (path is None) == (module is None):
            raise ConfigError(
                "give data.path, a CSV file of tables, or data.module, package.module:function; one of them"
            )
        at_least("data.", devices=(devices, 1), batch=(batch, 1), pooling_factor=(pooling_factor, 0))
        memory_of(memory_gib, devices)
        self.device, self.devices, self.memory_gib = device, devices, memory_gib
        self.path, self.module, self.pool = path, module, pool
        self.pooling_factor, self.batch, self.name = pooling_factor, batch, name

    def setup(self, stage: str | None = None) -> None:
        """Read the tables and check that some plan may hold them.

        Raises
        ------
        InvalidProblem
            See :func:`own_problem`.
        """
        if self.test_problems is not None:
            return
        if self.path is not None:
            tables, stem = read_tables(self.path, self.batch), Path(self.path).stem
        else:
            assert self.module is not None
            tables, stem = module_tables(self.module, self.pooling_factor, self.batch), self.module.rpartition(":")[0]
        problem = own_problem(tables, self.device, self.devices, self.memory_gib, stem)
        sizes = problem.column_bytes * problem.dims / 2**30
        _log.info(
            "%d tables, %.4g GiB, on %d devices with %.4g GiB",
            len(sizes),
            sizes.sum(),
            self.devices,
            problem.memory.sum() / 2**30,
        )
        self.test_problems = OneProblem(problem)
