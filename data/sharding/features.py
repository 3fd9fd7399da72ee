"""What a network sees of a piece of an embedding table (docs/papers/neuroshard.md#4.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from data.sharding.problem import GIB
from data.sharding.tables import BINS, EmbeddingTables
from runs.errors import ConfigError

AUTHORS = tuple(sorted([*(f"bin_{i}" for i in range(BINS)), "dim", "pooling_factor", "row"]))
"""The authors' features in their order, that of the names: bin_0, bin_1, bin_10, ..."""
LOG = (*(f"bin_{i}" for i in range(BINS)), "log_dim", "log_pooling", "log_rows", "dim_pooling", "gib", "unique_dim")
"""Ours: on logarithmic scales, and the products that memory traffic follows."""
LOAD = ("pieces", "dim", "pooling_factor", "dim_pooling")
"""What simple rules add up; the first is 1."""
SIZED = (*AUTHORS, "gib")
"""AutoShard's and DreamShard's: also how much memory a table takes."""
FEATURES = {"authors": AUTHORS, "log": LOG, "load": LOAD, "sized": SIZED}


def names_of(kind: str) -> list[str]:
    """The names of features in their order.

    Raises
    ------
    ConfigError
        There are no such features.
    """
    if kind not in FEATURES:
        raise ConfigError(f"features is '{kind}'; choose {', '.join(FEATURES)}")
    return list(FEATURES[kind])


def kind_of(names: Sequence[str]) -> str:
    """The features that have these names in this order.

    Raises
    ------
    ConfigError
        There are none: the order differs from all.
    """
    for kind, known in FEATURES.items():
        if known == tuple(names):
            return kind
    raise ConfigError(
        f"a network was trained on the features {', '.join(names)}; none of {', '.join(FEATURES)} has these in this order"
    )


def piece_features(
    tables: EmbeddingTables, table: Int[np.ndarray, " pieces"], dim: Int[np.ndarray, " pieces"], kind: str = "authors"
) -> Float[np.ndarray, "pieces features"]:
    """Features of pieces, in the order of :data:`FEATURES`.

    Raises
    ------
    ConfigError
        There are no such features.
    """
    names = names_of(kind)
    rows, pooling, width = tables.rows[table].astype(float), tables.pooling_factor[table], dim.astype(float)
    columns = {f"bin_{i}": bins for i, bins in enumerate(tables.reuse_bins[table].T)}
    columns |= {
        "pieces": np.ones(len(width)),
        "dim": width,
        "pooling_factor": pooling,
        "row": rows,
        "log_dim": np.log2(width),
        "log_pooling": np.log(np.maximum(pooling, 1e-6)),
        "log_rows": np.log(rows),
        "dim_pooling": width * pooling,
        "gib": rows * width * 4 / GIB,
        "unique_dim": tables.unique_bins.sum(1)[table] * width / tables.batch,
    }
    return np.column_stack([columns[name] for name in names])
