"""Why costs of tables do not add up: shards against their tables alone, halves of tables against wholes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from data.sharding.oracles.oracle import CostOracle
from data.sharding.plan import Pieces, is_splittable
from data.sharding.problem import ShardingProblem
from data.sharding.tables import EmbeddingTables
from runs.errors import at_least
from runs.figures import COLOURS, png, sheet
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from tasks.problems import ProblemTask


class FusionCosts(ProblemTask):
    """What the data's device says of random shards of each task's tables (docs/papers/neuroshard.md#2.3).

    ``fused_over_sum`` is the mean over shards of the cost of all tables together over the sum of each alone;
    ``fused_over_sum_least`` and ``fused_over_sum_most`` are its ends. ``split_over_whole_<dim>`` is the mean over tables of
    twice the cost of half the columns over that of all, for each dimension of the task that can be halved.

    Parameters
    ----------
    shards
        Of each task.
    most
        Tables of a shard, at least 2.
    seed
        Of the shards.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    def __init__(self, shards: int = 40, most: int = 8, seed: int = 0) -> None:
        super().__init__()
        at_least("task.", shards=(shards, 1), most=(most, 2), seed=(seed, 0))
        self.shards, self.most, self.seed = shards, most, seed

    def result(self, index: int, name: str, problem: ShardingProblem) -> InstanceResult:
        """The ratios of one task, and a figure."""
        problem.validate()
        tables, dims = problem.tables, problem.dims.astype(np.int64)
        rng = np.random.default_rng([self.seed, index])
        most = min(self.most, len(dims))
        members = [
            rng.choice(len(dims), rng.integers(min(2, most), most + 1), replace=False) for _ in range(self.shards)
        ]
        wholes = np.arange(len(dims))
        halved = np.array([table for table in wholes if is_splittable(int(dims[table]))], np.int64)
        found = costs_of(
            problem.oracle,
            tables,
            [(table, dims[table]) for table in [*members, *wholes[:, None]]]
            + [(table, dims[table] // 2) for table in halved[:, None]],
        )
        fused, alone, half = np.split(found, [self.shards, self.shards + len(dims)])
        sums = np.array([alone[some].sum() for some in members])
        ratios = fused / sums
        split = 2 * half / alone[halved]
        draw(self.folder, f"fusion/{name}", lambda: fusion_figure(sums, fused, dims[halved], split))
        metrics = {
            "fused_over_sum": float(ratios.mean()),
            "fused_over_sum_least": float(ratios.min()),
            "fused_over_sum_most": float(ratios.max()),
        } | {f"split_over_whole_{dim}": float(split[dims[halved] == dim].mean()) for dim in np.unique(dims[halved])}
        return InstanceResult(index, name, metrics, log={"shard": np.arange(self.shards), "sum": sums, "fused": fused})


def costs_of(
    oracle: CostOracle, tables: EmbeddingTables, shards: list[tuple[np.ndarray, np.ndarray]]
) -> Float[np.ndarray, " shards"]:
    """ms of shards, each given by the tables and dimensions of its pieces, on the first device."""
    table, dim = (np.concatenate([shard[part] for shard in shards]) for part in (0, 1))
    pieces = Pieces(table, dim, np.repeat(np.arange(len(shards)), [len(each) for each, _ in shards]))
    return oracle.compute(tables, pieces, len(shards), 1)


def fusion_figure(
    sums: Float[np.ndarray, " shards"],
    fused: Float[np.ndarray, " shards"],
    dims: np.ndarray,
    split: Float[np.ndarray, " tables"],
) -> bytes:
    """Fused costs over sums, and halves over wholes by dimension."""
    figure = sheet(8, 3.6)
    left, right = figure.subplots(1, 2)
    end = max(float(sums.max()), float(fused.max()))
    left.plot([0, end], [0, end], color=COLOURS[7], linewidth=1)
    left.scatter(sums, fused, s=14, color=COLOURS[0])
    left.set(xlabel="sum of the tables alone (ms)", ylabel="all tables together (ms)")
    right.axhline(1, color=COLOURS[7], linewidth=1)
    right.scatter(np.log2(dims) if len(dims) else dims, split, s=14, color=COLOURS[1])
    widths = np.unique(dims)
    right.set_xticks(np.log2(widths) if len(widths) else [], [str(width) for width in widths])
    right.set(xlabel="dimension", ylabel="two halves over the whole")
    return png(figure)
