"""Beam search over states of any kind."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

State = TypeVar("State")


class Level(NamedTuple, Generic[State]):
    """The states of one level and their values, of which less is better."""

    states: Sequence[State]
    values: Float[np.ndarray, " states"]

    @property
    def best(self) -> int:
        """Position of the least value; of several the first."""
        return int(np.argmin(self.values))


def beam(
    roots: Sequence[State],
    expand: Callable[[Sequence[State]], Sequence[State]],
    evaluate: Callable[[Sequence[State]], Float[np.ndarray, " states"]],
    key: Callable[[State], Hashable],
    width: int,
) -> Iterator[Level[State]]:
    """Levels one after the other: the successors of the best ``width`` states of the level before, until there are none.

    A caller stops where it has seen enough, and keeps the best of all levels itself.

    Parameters
    ----------
    roots
        The first level.
    expand
        The successors of some states.
    evaluate
        Values of states, all of a level together.
    key
        What tells states apart: of equal ones the first alone is evaluated.
    """
    states = list(roots)
    while states:
        level = Level(states, np.asarray(evaluate(states), float))
        yield level
        kept = [states[i] for i in np.argsort(level.values, kind="stable")[:width]]
        states = list({key(state): state for state in reversed(expand(kept))}.values())[::-1]
