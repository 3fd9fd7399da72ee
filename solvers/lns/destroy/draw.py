"""Drawing variables: the few ways in which every destroy heuristic turns preferences into a set."""

from __future__ import annotations

import numpy as np

TIE = 8  # decimals to which LP values are compared: solvers return equal values with noise below this
DIFFERENT = 1e-8  # an LP value this far from the incumbent differs from it (docs/papers/lb_relax.md#3.6)


def uniform(candidates: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """``k`` of ``candidates`` (all, if there are no more), uniformly without replacement."""
    if k >= len(candidates):
        return candidates
    return rng.choice(candidates, size=k, replace=False, shuffle=False)


def largest(values: np.ndarray, k: int, rng: np.random.Generator | None, least: np.ndarray | None = None) -> np.ndarray:
    """Positions of the ``k`` largest ``values`` (n,), ties by the smaller ``least`` (n,) where it is given.

    Ties that remain are broken at random, or by position without ``rng``.
    """
    keys = [-np.round(values, TIE)]
    if least is not None:
        keys.insert(0, np.round(least, TIE))
    if rng is not None:
        keys.insert(0, rng.random(len(values)))
    return np.lexsort(keys)[:k]


def preferred(chosen: np.ndarray, candidates: np.ndarray, k: int, fill: bool, rng: np.random.Generator) -> np.ndarray:
    """``k`` of ``chosen`` (c,) uniformly if there are more, else all; others of ``candidates`` (v,) fill up to ``k``."""
    if len(chosen) >= k or not fill:
        return uniform(chosen, k, rng)
    others = np.setdiff1d(candidates, chosen, assume_unique=True)
    return np.concatenate([chosen, uniform(others, k - len(chosen), rng)])
