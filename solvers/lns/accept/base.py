"""Acceptance: to how bad an assignment the search may move."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from runs.errors import ConfigError
from runs.record.checkpoint import State


class Accept(ABC):
    """Base of the acceptance rules: one :meth:`level` per iteration, and the search moves to what is not above it.

    The level is known before the neighbourhood is searched, so that the back end's cut-off admits what the rule would
    accept. Objectives are those of a minimisation, in the problem's own units. The best assignment is kept whatever the
    rule accepts.

    The other hooks do nothing here and are filled in by rules that remember something.
    """

    @abstractmethod
    def level(self, current: float, best: float, progress: float, rng: np.random.Generator) -> float:
        """The highest objective that this iteration accepts.

        Parameters
        ----------
        current, best
            Objective where the search stands, and of the best assignment it has found.
        progress
            Share of the budget that is spent, in [0, 1].
        rng
            All randomness of the rule comes from it.
        """

    def begin(self, objective: float) -> None:  # noqa: B027
        """Forget earlier searches; this one starts at ``objective``."""

    def record(self, objective: float) -> None:  # noqa: B027
        """An iteration has ended with the search at ``objective``."""

    def memory(self) -> State:
        """All that :meth:`level` depends on besides its arguments, as arrays that are never changed in place."""
        return {}

    def restore(self, memory: State) -> None:  # noqa: B027
        """Go on with the memory of an interrupted search."""


class Relative(Accept):
    """Abstract: a rule that allows a loss, which shrinks while the budget is spent.

    Parameters
    ----------
    start, end
        The loss at the start and at the end of the budget, in units of the absolute value of the search's first objective
        (of 1 where that is 0), so that the same numbers serve every instance.

    Raises
    ------
    ConfigError
        ``0 <= end <= start`` does not hold.
    """

    def __init__(self, start: float, end: float) -> None:
        if not 0 <= end <= start < np.inf:
            raise ConfigError(f"lns.accept.start is {start} and end {end}; give shares with 0 <= end <= start")
        self.start, self.end = start, end
        self._unit = 1.0

    def begin(self, objective: float) -> None:
        self._unit = float(abs(objective)) or 1.0

    def memory(self) -> State:
        return {"unit": np.array(self._unit)}

    def restore(self, memory: State) -> None:
        self._unit = float(memory["unit"])
