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
    method, methods = pd.factorize(rows["method"])
    instance, instances = pd.factorize(rows["instance"])
    seed, seeds = pd.factorize(rows["seed"])
    cells = np.unique((method * len(instances) + instance) * len(seeds) + seed)  # whose, where and with which seed
    of_method = np.zeros((len(methods), len(seeds)), dtype=bool)
    of_method[method, seed] = True
    if (of_method == of_method[:1]).all():
        unit, size = instance * len(seeds) + seed, len(instances) * len(seeds)
        having = np.bincount(cells % size, minlength=size)
    else:
        unit, size = instance, len(instances)
        found, counts = np.unique(cells // len(seeds), return_counts=True)
        whole = found[counts == of_method.sum(axis=1)[found // size]]
        having = np.bincount(whole % size, minlength=size)
    mask = (having == len(methods))[unit]
    return mask if mask.any() else np.ones(len(rows), dtype=bool)
