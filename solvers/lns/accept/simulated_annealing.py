"""Simulated annealing: the larger the loss and the later, the less probably it is accepted."""

from __future__ import annotations

import math

import numpy as np

from runs.errors import ConfigError
from solvers.lns.accept.base import Relative


class SimulatedAnnealing(Relative):
    """Accept a loss d with probability exp(-d / T), where T falls geometrically while the budget is spent.

    Parameters
    ----------
    start, end
        The loss that is accepted with probability 1/2 at the start and at the end of the budget, in units of the absolute
        value of the first objective: T = start * unit / ln 2 at first.

    Raises
    ------
    ConfigError
        ``0 < end <= start`` does not hold.

    References
    ----------
    Kirkpatrick, Gelatt, Vecchi, Optimization by simulated annealing, Science 220 (1983).
    """

    def __init__(self, start: float, end: float) -> None:
        super().__init__(start, end)
        if not end > 0:
            raise ConfigError(f"lns.accept.end is {end}; a temperature falls geometrically and must stay above 0")

    def level(self, current: float, best: float, progress: float, rng: np.random.Generator) -> float:
        temperature = self._unit * self.start * (self.end / self.start) ** progress / math.log(2)
        return current - temperature * math.log1p(-rng.random())
