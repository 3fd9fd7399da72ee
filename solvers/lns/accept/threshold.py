"""Threshold accepting: any loss below a threshold."""

from __future__ import annotations

import numpy as np

from solvers.lns.accept.base import Relative


class ThresholdAccepting(Relative):
    """Accept what is worse than the current assignment by at most a threshold, which falls linearly.

    Parameters
    ----------
    start, end
        The threshold at the start and at the end of the budget, in units of the absolute value of the first objective.

    References
    ----------
    Dueck, Scheuer, Threshold accepting: a general purpose optimization algorithm appearing superior to simulated annealing,
    Journal of Computational Physics 90 (1990).
    """

    def level(self, current: float, best: float, progress: float, rng: np.random.Generator) -> float:
        return current + self._unit * (self.start + (self.end - self.start) * progress)
