"""GRAPH ("VARIABLE" in the released code): breadth-first from a random variable through the rows."""

from __future__ import annotations

from typing import final

import numpy as np

from data.ilp.problem import ILP
from solvers.lns.destroy.draw import uniform
from solvers.lns.state import Destroy, SearchState, Selection


@final
class Graph(Destroy):
    """Free a connected piece of the constraint graph (docs/papers/lb_relax.md#4.1).

    From a random candidate, layer by layer: all variables that share a row with the last layer. The layer that overshoots
    ``k`` is subsampled uniformly. Continuous variables pass the search on but do not count.

    Parameters
    ----------
    reseed
        When the component is exhausted before ``k``, go on from a new random variable; otherwise fewer than ``k`` are
        freed.
    """

    def __init__(self, reseed: bool = False) -> None:
        self.reseed = reseed

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        wanted = min(k, len(state.candidates))
        candidate = np.zeros(state.problem.n, bool)
        candidate[state.candidates] = True
        visited = np.zeros(state.problem.n, bool)
        chosen: list[np.ndarray] = []
        missing = wanted
        layer = np.empty(0, np.int64)
        while missing:
            if not len(layer):
                if chosen and not self.reseed:
                    break
                layer = rng.choice(np.flatnonzero(candidate & ~visited), size=1)
            visited[layer] = True
            chosen.append(uniform(layer[candidate[layer]], missing, rng))
            missing -= len(chosen[-1])
            layer = _neighbors(state.problem, layer, visited)
        return Selection.of(state, np.concatenate(chosen))


def _neighbors(problem: ILP, layer: np.ndarray, visited: np.ndarray) -> np.ndarray:
    """Unvisited variables in a row with one of ``layer``, ascending."""
    rows = np.unique(problem.A_csc[:, layer].indices)
    columns = np.unique(problem.A[rows].indices)
    return columns[~visited[columns]].astype(np.int64)
