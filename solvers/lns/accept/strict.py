"""Strict: improvements only."""

from __future__ import annotations

import math

import numpy as np

from solvers.lns.accept.base import Accept
from solvers.lns.improvement import IMPROVEMENT


class Strict(Accept):
    """Accept only what is better by more than :data:`solvers.lns.improvement.IMPROVEMENT`."""

    def level(self, current: float, best: float, progress: float, rng: np.random.Generator) -> float:
        return math.nextafter(current - IMPROVEMENT, -math.inf)
