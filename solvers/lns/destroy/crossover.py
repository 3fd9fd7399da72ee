"""Crossover (Rothberg, 2007): variables on which good solutions disagree."""

from __future__ import annotations

from typing import final

import numpy as np

from runs.errors import ConfigError
from solvers.lns.destroy.draw import preferred
from solvers.lns.state import Destroy, SearchState, Selection


@final
class Crossover(Destroy):
    """Free ``k`` of the variables on which the incumbent and random earlier ones differ.

    Parameters
    ----------
    parents
        Solutions compared, the incumbent included (fewer while the pool is smaller).
    fill
        Top up with random others to ``k`` when they agree on more.

    References
    ----------
    E. Rothberg: An evolutionary algorithm for polishing mixed integer programming solutions. INFORMS J. Comput. 19 (2007).
    """

    def __init__(self, parents: int = 2, fill: bool = True) -> None:
        if parents < 2:
            raise ConfigError(f"destroy.parents is {parents}; crossover compares at least two")
        self.parents = parents
        self.fill = fill

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        others = min(self.parents - 1, len(state.pool))
        chosen = rng.choice(len(state.pool), size=others, replace=False) if others else ()
        differs = np.zeros(len(state.candidates), bool)
        for index in chosen:
            differs |= state.pool[index][state.candidates] != state.incumbent[state.candidates]
        return Selection.of(state, preferred(state.candidates[differs], state.candidates, k, self.fill, rng))
