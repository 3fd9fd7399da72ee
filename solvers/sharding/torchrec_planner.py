"""TorchRec's own planner, what users pick today, told the device's bandwidths (docs/papers/neuroshard.md#3.6)."""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int

from data.sharding.plan import DIM_UNIT, Pieces, Plan, is_splittable
from data.sharding.problem import ShardingProblem
from data.sharding.torchrec_file import torchrec
from runs import interrupt
from runs.errors import ConfigError
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Meter, Solution
from solvers.sharding.answer import answer
from solvers.sharding.weights import Bandwidths

DATA_TYPES = {4: "FP32", 2: "FP16", 1: "INT8"}


class TorchRecPlanner:
    """``EmbeddingShardingPlanner`` of TorchRec with tables whole or by columns, fused kernels, and no storage reserved.

    It is told the bandwidths of memory and links that the device states (:class:`~solvers.sharding.weights.Bandwidths`), and
    its memory counts weights alone, as everybody's here. A proposal that it can place is one evaluation of each shard.

    Parameters
    ----------
    min_partition
        The width of columns into which it may split a table; unset, it never splits one of dimension 128 or less. A table
        that halving does not bring to that width is split to the next larger one that it does.

    Raises
    ------
    ConfigError
        It is not a positive multiple of 4.
    """

    def __init__(self, min_partition: int | None = None) -> None:
        if min_partition is not None and (min_partition < DIM_UNIT or min_partition % DIM_UNIT):
            raise ConfigError(
                f"solver.min_partition is {min_partition}; give a positive multiple of {DIM_UNIT}, or null"
            )
        self.min_partition = min_partition

    def solve(
        self,
        problem: ShardingProblem,
        *,
        budget: Budget,
        scorer: Any = None,
        initial: Int[np.ndarray, " length"] | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Plan; its best so far where the budget ends before it has.

        Raises
        ------
        MissingDependency
            TorchRec is not installed.
        ConfigError
            Tables are pinned, which the planner cannot do, or a weight has a size for which it has no type.
        """
        problem.validate()
        if problem.pinned is not None and (problem.pinned >= 0).any():
            name = problem.tables.names[int(np.argmax(problem.pinned >= 0))]
            raise ConfigError(f"{problem.name}: table '{name}' is pinned, and TorchRec's planner pins none")
        with interrupt.watch(), _silent():
            planning = _Planning(problem, self._widths(problem))
            meter = budget.start()
            planning.run(meter)
            return answer(problem, planning.plan(), meter)

    def _widths(self, problem: ShardingProblem) -> list[int]:
        """Of each table, the columns of a shard where it is split; its dimension where it may not be."""
        widths = []
        for table, whole in enumerate(problem.dims.tolist()):
            most = np.inf if problem.most_pieces is None else problem.most_pieces[table]
            width = whole
            while (
                self.min_partition is not None
                and is_splittable(width)
                and width // 2 >= self.min_partition
                and 2 * whole // width <= most
            ):
                width //= 2
            widths.append(width)
        return widths


class _Ended(Exception):
    pass


class _Planning:
    """One call of the planner."""

    def __init__(self, problem: ShardingProblem, widths: list[int]) -> None:
        self.problem = problem
        self.best: list[Any] | None = None
        bytes_per_weight = np.broadcast_to(problem.bytes_per_weight, problem.dims.shape).tolist()
        if unknown := set(bytes_per_weight) - DATA_TYPES.keys():
            raise ConfigError(f"{problem.name}: TorchRec has no type of {unknown.pop()} bytes; give 1, 2 or 4")
        types = torchrec("distributed.planner.types")
        configs, modules = torchrec("modules.embedding_configs"), torchrec("modules.embedding_modules")
        names = [str(table) for table in range(len(widths))]
        self.module = modules.EmbeddingBagCollection(
            device="meta",
            tables=[
                configs.EmbeddingBagConfig(
                    name=name,
                    num_embeddings=int(problem.tables.rows[table]),
                    embedding_dim=int(problem.dims[table]),
                    feature_names=[name],
                    data_type=getattr(configs.DataType, DATA_TYPES[bytes_per_weight[table]]),
                )
                for table, name in enumerate(names)
            ],
        )
        self.constraints = {
            name: types.ParameterConstraints(
                sharding_types=["table_wise"] + ["column_wise"] * int(widths[table] < problem.dims[table]),
                compute_kernels=["fused"],
                pooling_factors=[float(problem.tables.pooling_factor[table])],
                min_partition=widths[table] if widths[table] < problem.dims[table] else None,
            )
            for table, name in enumerate(names)
        }
        self.topology = self._topology(types)

    def _topology(self, types: Any) -> Any:
        bandwidths, devices = Bandwidths.of(self.problem.oracle), self.problem.devices
        memory = types.CustomTopologyData({"hbm_cap": self.problem.memory.tolist()}, devices)
        return types.Topology(
            devices,
            "cuda",
            hbm_mem_bw=bandwidths.memory,
            intra_host_bw=bandwidths.link,
            custom_topology_data=memory,
        )

    def run(self, meter: Meter) -> None:
        """Let the planner make its proposals."""
        planners, enumerators = torchrec("distributed.planner.planners"), torchrec("distributed.planner.enumerators")
        estimators = torchrec("distributed.planner.shard_estimators")
        reservations = torchrec("distributed.planner.storage_reservations")
        types, sharders = torchrec("distributed.planner.types"), torchrec("distributed.embeddingbag")
        batch = max(1, self.problem.tables.batch // self.problem.devices)
        performance = estimators.EmbeddingPerfEstimator(self.topology, self.constraints)
        enumerator = enumerators.EmbeddingEnumerator(
            self.topology, batch, self.constraints, [performance, _weights_alone(types, self.problem)]
        )
        planner = planners.EmbeddingShardingPlanner(
            topology=self.topology,
            batch_size=batch,
            enumerator=enumerator,
            storage_reservation=reservations.FixedPercentageStorageReservation(0.0),
            performance_model=self._watched(torchrec("distributed.planner.perf_models"), meter),
            stats=[],
            constraints=self.constraints,
            debug=False,
        )
        with contextlib.suppress(_Ended, types.PlannerError):
            planner.plan(self.module, [sharders.EmbeddingBagCollectionSharder()])

    def _watched(self, models: Any, meter: Meter) -> Any:
        """The planner's own rating, which keeps the best plan and looks at the budget."""
        planning, least = self, np.inf

        class Watched(models.NoopPerfModel):  # type: ignore[name-defined,misc]
            def rate(self, plan: list[Any]) -> float:
                nonlocal least
                rating = super().rate(plan)
                meter.evaluations += planning.problem.devices
                if rating < least:
                    least, planning.best = rating, copy.deepcopy(plan)
                if meter.exhausted:
                    raise _Ended
                return rating

        return Watched(self.topology)

    def plan(self) -> Plan | None:
        """Ranks and sizes of the shards of the best plan, as a plan of ours."""
        if self.best is None:
            return None
        shards = [
            (int(option.name), int(shard.size[1]), int(shard.rank)) for option in self.best for shard in option.shards
        ]
        pieces = Pieces(*(np.array(column, np.int64) for column in zip(*shards, strict=True)))
        return Plan.of_pieces(self.problem.dims, pieces)


def _weights_alone(types: Any, problem: ShardingProblem) -> Any:
    """Storage of a shard without the buffers of inputs and outputs that TorchRec counts, too."""

    class WeightsAlone(types.ShardEstimator):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            pass

        def estimate(self, sharding_options: list[Any], sharder_data_map: Any = None) -> None:
            for option in sharding_options:
                column = int(problem.column_bytes[int(option.name)])
                for shard in option.shards:
                    shard.storage = types.Storage(hbm=column * shard.size[1], ddr=0)

    return WeightsAlone()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """TorchRec tells its log of every table."""
    logger = logging.getLogger("torchrec")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
