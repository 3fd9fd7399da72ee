"""What a piece of a table weighs, by rules that need no learning (docs/papers/neuroshard.md#3.3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from data.sharding.oracles.analytical import AnalyticalDevice
from data.sharding.oracles.noisy import Noisy
from data.sharding.oracles.oracle import CostOracle
from data.sharding.problem import GIB, ShardingProblem
from data.sharding.tables import EmbeddingTables

INDEX_BYTES, FLOAT_BYTES = 8, 4
NARROW, HALF_BLOCK = 1.75, 1.15
"""TorchRec's penalties of kernels for dimensions below 64 and below 128."""
LEAST_DIM = 32
"""Narrower rows are read as if they had so many columns."""
BACKWARD = 2
"""Backward computation, in forward ones."""


class Bandwidths(NamedTuple):
    """Bytes per ms of a device's memory and of its link; by default what TorchRec takes for granted."""

    memory: float = 897 * GIB / 1000
    link: float = 600 * GIB / 1000

    @classmethod
    def of(cls, oracle: CostOracle) -> Bandwidths:
        """Those of a device of formulas, of several the least; a measured one does not state any."""
        device = oracle.oracle if isinstance(oracle, Noisy) else oracle
        if not isinstance(device, AnalyticalDevice):
            return cls()
        links = [float(np.min(device.limits["link_rate"])), *(level.link_rate for level in device.outer)]
        return cls(float(np.min(device.limits["memory_rate"])), min(links))


def torchrec_costs(
    tables: EmbeddingTables,
    table: Int[np.ndarray, " pieces"],
    dim: Int[np.ndarray, " pieces"],
    bandwidths: Bandwidths,
) -> Float[np.ndarray, " pieces"]:
    """ms of each piece alone by TorchRec's model of tables that lie whole on a device; a shard costs their sum."""
    width, pooling = dim.astype(float), tables.pooling_factor[table]
    lookups = pooling * tables.batch
    penalty = np.where(width < 64, NARROW, np.where(width < 128, HALF_BLOCK, 1.0))
    written = FLOAT_BYTES * tables.batch * width * np.minimum(pooling, 1)
    moved = lookups * (INDEX_BYTES + FLOAT_BYTES * np.maximum(width, LEAST_DIM)) + written
    return moved * penalty / bandwidths.memory * (1 + BACKWARD) + 2 * written / bandwidths.link


def weights(
    problem: ShardingProblem,
    table: Int[np.ndarray, " pieces"] | None = None,
    dim: Int[np.ndarray, " pieces"] | None = None,
) -> dict[str, Float[np.ndarray, " pieces"]]:
    """What each rule takes for the load of some pieces; by default of the whole tables.

    ``size`` is bytes, ``lookup`` dim times pooling factor, ``size_lookup`` that times the decimal logarithm of the rows, and
    ``torchrec_model`` the ms of :func:`torchrec_costs`.
    """
    table = np.arange(len(problem.dims)) if table is None else table
    dim = problem.dims[table] if dim is None else dim
    width = dim.astype(float)
    lookup = width * problem.tables.pooling_factor[table]
    return {
        "size": (problem.column_bytes[table] * dim).astype(float),
        "dim": width,
        "lookup": lookup,
        "size_lookup": lookup * np.log10(problem.tables.rows[table].astype(float)),
        "torchrec_model": torchrec_costs(problem.tables, table, dim, Bandwidths.of(problem.oracle)),
    }
