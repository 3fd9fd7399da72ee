"""Plans in the terms of TorchRec, whose sharded modules take them: JSON, and its own objects (docs/sharding.md)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pandas as pd

from data.sharding.plan import Plan, column_offsets
from data.sharding.problem import ShardingProblem
from runs.errors import InvalidProblem, MissingDependency
from runs.text import printable

KERNEL = "fused"


def to_torchrec(problem: ShardingProblem, plan: Plan, module: str = "", per_host: int = 8) -> dict[str, Any]:
    """The plan as JSON: ``{"plan": {module: {table: sharding}}}`` in the fields of TorchRec's ``ParameterSharding``.

    Parameters
    ----------
    module
        Path of the embedding collection in the model.
    per_host
        Devices of a host: device 9 of hosts of 8 is ``rank:9/cuda:1``.
    """
    pieces, first = problem.pieces(plan), column_offsets(problem.dims, plan.splits)
    found: dict[str, Any] = {}
    for index, name in enumerate(problem.tables.names):
        mine = sorted((pieces.table == index).nonzero()[0], key=lambda i: first[i])
        ranks = [int(pieces.shard[i]) for i in mine]
        rows = int(problem.tables.rows[index])
        shards = [
            {
                "shard_offsets": [0, int(first[i])],
                "shard_sizes": [rows, int(pieces.dim[i])],
                "placement": f"rank:{rank}/cuda:{rank % per_host}",
            }
            for i, rank in zip(mine, ranks, strict=True)
        ]
        found[name] = {
            "sharding_type": "column_wise" if len(shards) > 1 else "table_wise",
            "compute_kernel": KERNEL,
            "ranks": ranks,
            "sharding_spec": {"shards": shards},
        }
    return {"plan": {module: found}}


def of_torchrec(content: Any, where: str) -> pd.DataFrame:
    """Pieces of a plan in TorchRec's terms: columns ``table, first_column, dim, device, table_rows``.

    Parameters
    ----------
    content
        JSON as :func:`to_torchrec` makes it, of one module or of several.
    where
        The file, for messages.

    Raises
    ------
    InvalidProblem
        It is no such JSON, or shards a table by rows or not at all: names the table.
    """
    plan = content.get("plan") if isinstance(content, Mapping) else None
    if not isinstance(plan, Mapping) or not plan or not all(isinstance(part, Mapping) for part in plan.values()):
        raise InvalidProblem(f'{where} is no plan of TorchRec; expected {{"plan": {{module: {{table: ...}}}}}}')
    rows = []
    for part in plan.values():
        for name, sharding in part.items():
            place = f"{where}: table '{printable(str(name))}'"
            kind = sharding.get("sharding_type") if isinstance(sharding, Mapping) else None
            if kind not in ("table_wise", "column_wise", "table_column_wise"):
                raise InvalidProblem(f"{place} has sharding_type {kind!r}; tables are placed whole or by columns here")
            try:
                shards = sharding["sharding_spec"]["shards"]
                for shard in shards:
                    (row, column), (height, width) = shard["shard_offsets"], shard["shard_sizes"]
                    rank = int(str(shard["placement"]).removeprefix("rank:").partition("/")[0])
                    if row or min(column, height, width, rank) < 0:
                        raise ValueError("a shard begins at the first row, and no number is negative")
                    rows.append((str(name), int(column), int(width), rank, int(height)))
                if not shards:
                    raise ValueError("it has no shard")
            except (KeyError, TypeError, ValueError) as error:
                raise InvalidProblem(
                    f"{place} has no sharding_spec that can be read ({type(error).__name__}: {error})"
                ) from error
    if not rows:
        raise InvalidProblem(f"{where} places no table")
    return pd.DataFrame(rows, columns=["table", "first_column", "dim", "device", "table_rows"])


def torchrec(module: str) -> ModuleType:
    """A module of TorchRec.

    Raises
    ------
    MissingDependency
        It cannot be imported.
    """
    try:
        return importlib.import_module(f"torchrec.{module}")
    except ImportError as error:
        raise MissingDependency(f"torchrec cannot be imported ({error}); 'make torchrec' installs it") from error


def sharding_plan(content: Mapping[str, Any]) -> Any:
    """TorchRec's own ``ShardingPlan`` from the JSON, for ``DistributedModelParallel(model, plan=...)``.

    Raises
    ------
    MissingDependency
        TorchRec is not installed.
    """
    types = torchrec("distributed.types")
    return types.ShardingPlan(
        {
            module: types.EmbeddingModuleShardingPlan(
                {
                    name: types.ParameterSharding(
                        sharding_type=sharding["sharding_type"],
                        compute_kernel=sharding["compute_kernel"],
                        ranks=list(sharding["ranks"]),
                        sharding_spec=types.EnumerableShardingSpec(
                            [types.ShardMetadata(**shard) for shard in sharding["sharding_spec"]["shards"]]
                        ),
                    )
                    for name, sharding in part.items()
                }
            )
            for module, part in content["plan"].items()
        }
    )
