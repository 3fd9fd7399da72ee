"""What may be averaged: results that methods have in common, and numbers of one sense and scale."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

ONE_SCALE = 10.0
"""Objectives are averaged over instances whose typical magnitudes differ by no larger factor."""
SEVERAL = "not averaged over several data sets"

Senses = Mapping[tuple[str, str], bool]
"""True for the (paper, instance) pairs whose objective is maximised."""


def why_no_mean(rows: pd.DataFrame, senses: Senses) -> str:
    """Why numbers in the sense and scale of their instances have no mean, or "".

    Parameters
    ----------
    rows
        Columns ``paper, instance, value``.
    """
    if rows["instance"].map(dataset_of).nunique() > 1:
        return SEVERAL
    problems = set(zip(rows["paper"], rows["instance"], strict=True))
    if len({senses[problem] for problem in problems if problem in senses}) > 1:
        return "not averaged: some instances are maximised, others minimised"
    sizes = rows.groupby("instance")["value"].median().abs()
    if sizes.max() > ONE_SCALE * sizes.min():
        return f"not averaged: the instances differ in scale, from {sizes.min():.3g} to {sizes.max():.3g}"
    return ""


def dataset_of(instance: str) -> str:
    """The data set an instance belongs to: what stands before the first slash."""
    return instance.split("/", 1)[0] if "/" in instance else ""


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
