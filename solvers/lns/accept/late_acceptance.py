"""Late acceptance hill climbing: what is better than where the search stood some iterations ago."""

from __future__ import annotations

import math

import numpy as np

from runs.errors import ConfigError
from runs.record.checkpoint import State
from solvers.lns.accept.base import Accept


class LateAcceptance(Accept):
    """Accept what is not worse than the current assignment, or better than the one of ``length`` iterations before.

    An entry of the history is replaced only by a smaller objective.

    Parameters
    ----------
    length
        Iterations that the history spans, in which it is filled with the first objective at first.

    Raises
    ------
    ConfigError
        ``length`` is below 1.

    References
    ----------
    Burke, Bykov, The late acceptance hill-climbing heuristic, European Journal of Operational Research 258 (2017).
    """

    def __init__(self, length: int) -> None:
        if length < 1 or length != int(length):
            raise ConfigError(f"lns.accept.length is {length}; give a whole number of iterations, at least 1")
        self.length = int(length)
        self._history = np.full(self.length, np.inf)
        self._next = 0

    def begin(self, objective: float) -> None:
        self._history, self._next = np.full(self.length, objective), 0

    def level(self, current: float, best: float, progress: float, rng: np.random.Generator) -> float:
        return max(current, math.nextafter(self._history[self._next], -math.inf))

    def record(self, objective: float) -> None:
        history = self._history.copy()
        history[self._next] = min(history[self._next], objective)
        self._history, self._next = history, (self._next + 1) % self.length

    def memory(self) -> State:
        return {"history": self._history, "next": np.array(self._next)}

    def restore(self, memory: State) -> None:
        self._history, self._next = memory["history"], int(memory["next"])
