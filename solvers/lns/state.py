"""What a destroy heuristic sees and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from data.ilp.problem import ILP
from runs.record.checkpoint import State


@dataclass(frozen=True)
class SearchState:
    """Read-only view of the search at the start of an iteration; everything is in minimisation form.

    Parameters
    ----------
    problem
        The ILP as a minimisation with n variables.
    candidates
        (|I|,) int, ascending: integer variables whose bounds leave a choice. Only these can be freed or fixed;
        continuous variables are always free.
    incumbent, objective
        (n,) the assignment where the search stands, integers exact, and its value. It is the best one found unless the
        acceptance rule allows a loss.
    pool
        Earlier best assignments, newest first, one per improvement (at most ten).
    iteration
        Index of this iteration, from 0.
    remaining_seconds
        What is left of the budget (inf without a limit).
    at_cap
        True when k cannot grow any more.
    last_improvement, last_seconds
        How much better the best became in the iteration before this one, and how long it took (0 in the first).
    """

    problem: ILP
    candidates: np.ndarray
    incumbent: np.ndarray
    objective: float
    pool: tuple[np.ndarray, ...] = ()
    iteration: int = 0
    remaining_seconds: float = np.inf
    at_cap: bool = False
    last_improvement: float = 0.0
    last_seconds: float = 0.0


@dataclass(frozen=True)
class Selection:
    """A neighbourhood: the variables to free, and what was found on the way to them.

    Parameters
    ----------
    free
        (n,) bool, the set X_t; the other integer variables are fixed at the incumbent.
    repair
        False when no sub-ILP is to be solved: a bound excludes any improvement, or ``solution`` solved it already.
    solution
        (n,) a feasible assignment found while selecting (by the local branching ILP, say): the sub-ILP starts from it,
        and it stands if the sub-ILP finds nothing better.
    within
        Solve this ILP over the same variables and objective instead of fixing by ``free``: how heuristics that need
        more than a set of variables (DINS's extra row, RENS's other fixed values) state their sub-ILP. Its feasible set
        lies inside the problem's; columns fixed by its bounds are removed like others.
    lp_integral_share
        Share of the candidates with an integral value in the LP that selected (NaN without one).
    """

    free: np.ndarray
    repair: bool = True
    solution: np.ndarray | None = None
    within: ILP | None = None
    lp_integral_share: float = np.nan

    @classmethod
    def of(cls, state: SearchState, indices: np.ndarray, lp_integral_share: float = np.nan) -> Selection:
        """Free the variables ``indices`` (k,)."""
        free = np.zeros(state.problem.n, bool)
        free[indices] = True
        return cls(free, lp_integral_share=lp_integral_share)

    @classmethod
    def nothing(cls, state: SearchState, lp_integral_share: float = np.nan) -> Selection:
        """No neighbourhood: the iteration counts as one without improvement."""
        return cls(np.zeros(state.problem.n, bool), repair=False, lp_integral_share=lp_integral_share)


class Remembering(Protocol):
    """An LP relaxation kept during a search, which a checkpoint can hold."""

    def prepare(self, problem: ILP) -> None: ...

    def memory(self) -> State: ...

    def restore(self, memory: State) -> None: ...


class Destroy(ABC):
    """Base of the destroy heuristics: one :meth:`select` per iteration.

    The three hooks below pass on to :attr:`lp` what a search asks of its heuristic; those that remember something else fill
    them in.
    """

    lp: Remembering | None = None
    """The relaxation that the heuristic looks at, where that is all it remembers."""

    @abstractmethod
    def select(self, state: SearchState, k: int, rng: np.random.Generator) -> Selection:
        """Choose about ``k`` of ``state.candidates``; all randomness comes from ``rng``."""

    def prepare(self, problem: ILP, scorer: object = None) -> None:
        """Forget earlier instances and get ready for ``problem`` (minimisation form).

        Raises
        ------
        ConfigError
            The heuristic cannot work on this problem.
        """
        if self.lp is not None:
            self.lp.prepare(problem)

    def memory(self) -> State:
        """All that :meth:`select` depends on besides its arguments, as arrays that are never changed in place."""
        return {} if self.lp is None else self.lp.memory()

    def restore(self, memory: State) -> None:
        """Take up the memory of an interrupted search of the prepared problem."""
        if self.lp is not None:
            self.lp.restore(memory)
