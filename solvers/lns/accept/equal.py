"""Equal: whatever is not worse."""

from __future__ import annotations

import numpy as np

from solvers.lns.accept.base import Accept


class Equal(Accept):
    """Accept what is not worse: moves to assignments of equal value are kept, though k grows after them."""

    def level(self, current: float, best: float, progress: float, rng: np.random.Generator) -> float:
        return current
