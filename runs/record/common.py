"""Which results methods have in common: a mean of one method may be set beside that of another over these alone."""

from __future__ import annotations

import numpy as np
import pandas as pd


def in_common(rows: pd.DataFrame) -> np.ndarray:
    """(rows,) True for the results of the instances and seeds that all methods have; all True where they share none.

    Where the methods ran with different seeds, an instance counts whole, for a method only if it has all its seeds there.

    Parameters
    ----------
    rows
        Columns ``method, instance, seed``; a row per result.
    """
    known = rows[["method", "instance", "seed"]].drop_duplicates()
    seeds = known.groupby("method")["seed"].agg(frozenset)
    if seeds.nunique() <= 1:
        unit, complete = ["instance", "seed"], known
    else:
        pairs = known.groupby(["method", "instance"]).size().rename("seeds").reset_index()
        unit, complete = ["instance"], pairs[pairs["seeds"] == pairs["method"].map(seeds.map(len))]
    having = complete.groupby(unit)["method"].nunique()
    shared = having.index[having == len(seeds)]
    found = pd.MultiIndex.from_frame(rows[unit]).isin(shared) if len(unit) > 1 else rows["instance"].isin(shared)
    mask = np.asarray(found, dtype=bool)
    return mask if mask.any() else np.ones(len(rows), dtype=bool)
