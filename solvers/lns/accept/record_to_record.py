"""Record-to-record travel: anything close to the best assignment."""

from __future__ import annotations

import numpy as np

from solvers.lns.accept.base import Relative


class RecordToRecord(Relative):
    """Accept what is worse than the best assignment (the record) by at most a deviation, which falls linearly.

    What is not worse than the current assignment is accepted too: as the deviation shrinks, the search may stand beyond it.

    Parameters
    ----------
    start, end
        The deviation at the start and at the end of the budget, in units of the absolute value of the first objective;
        Dueck's is constant.

    References
    ----------
    Dueck, New optimization heuristics: the great deluge algorithm and the record-to-record travel, Journal of Computational
    Physics 104 (1993). Linear decrease: Santini, Ropke, Hvattum, A comparison of acceptance criteria for the adaptive large
    neighbourhood search metaheuristic, Journal of Heuristics 24 (2018).
    """

    def level(self, current: float, best: float, progress: float, rng: np.random.Generator) -> float:
        deviation = self._unit * (self.start + (self.end - self.start) * progress)
        return max(current, best + deviation)
