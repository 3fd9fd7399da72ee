"""RANDOM: k variables uniformly."""

from __future__ import annotations

from typing import final

import numpy as np

from solvers.lns.destroy.draw import uniform
from solvers.lns.state import Destroy, SearchState, Selection


@final
class Random(Destroy):
    """Free ``k`` candidates drawn uniformly without replacement (docs/papers/lb_relax.md#4.1)."""

    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        return Selection.of(state, uniform(state.candidates, k, rng))
