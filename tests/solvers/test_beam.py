"""Beam search on bit strings, whose optimum is known."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from solvers.beam import beam

LENGTH = 6
WEIGHTS = np.array([3.0, -2.0, 5.0, -7.0, 1.0, -1.0])


def expand(states: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """One more member."""
    return [state | {i} for state in states for i in range(LENGTH) if i not in state]


def evaluate(states: Sequence[frozenset[int]]) -> np.ndarray:
    """Sum of weights, and a penalty for 1 and 3 together."""
    return np.array([WEIGHTS[list(state)].sum() + 4 * ({1, 3} <= state) for state in states])


def run(width: int) -> list[float]:
    levels = beam([frozenset()], expand, evaluate, lambda state: tuple(sorted(state)), width)
    return [float(level.values[level.best]) for level in levels]


def test_a_beam_as_wide_as_every_level_finds_the_best_of_each() -> None:
    best = [
        min(evaluate([frozenset(chosen) for chosen in itertools.combinations(range(LENGTH), size)]))
        for size in range(LENGTH + 1)
    ]
    assert run(20) == pytest.approx(best)


def test_a_narrow_beam_is_greedy() -> None:
    assert run(1)[:3] == [0.0, -7.0, -8.0]
    assert min(run(1)) == min(run(20)) == -8.0


def test_equal_states_are_evaluated_once_and_levels_end_where_there_is_no_successor() -> None:
    sizes = []

    def counted(states: Sequence[frozenset[int]]) -> np.ndarray:
        sizes.append(len(states))
        return evaluate(states)

    assert len(list(beam([frozenset()], expand, counted, lambda state: tuple(sorted(state)), 100))) == LENGTH + 1
    assert sizes == [1, 6, 15, 20, 15, 6, 1]


def test_of_states_of_one_value_the_first_are_kept() -> None:
    levels = beam(
        [0], lambda states: [10 * s + d for s in states for d in (1, 2, 3)], lambda s: np.zeros(len(s)), int, 1
    )
    next(levels)
    next(levels)
    assert next(levels).states == [11, 12, 13]
