from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from runs.errors import ConfigError, InvalidProblem
from solvers.compiler.coreset import greedy, lazy_greedy, reward

REWARDS = arrays.arrays(
    float, st.tuples(st.integers(1, 5), st.integers(1, 7)), elements=st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.7, -0.5])
)


def value(rewards: np.ndarray, chosen: tuple[int, ...]) -> float:
    return float(np.maximum(rewards[:, list(chosen)].max(1, initial=0.0), 0.0).mean())


@given(REWARDS, st.integers(1, 7), st.data())
def test_lazy_greedy_takes_what_greedy_takes(rewards: np.ndarray, size: int, data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 3), min_size=rewards.shape[1], max_size=rewards.shape[1]))
    plain, lazy = greedy(rewards, lengths, size), lazy_greedy(rewards, lengths, size)
    assert plain.chosen == lazy.chosen
    assert np.array_equal(plain.coverage, lazy.coverage)


@settings(max_examples=40)
@given(REWARDS, st.integers(1, 4))
def test_greedy_reaches_its_share_of_the_best_set(rewards: np.ndarray, size: int) -> None:
    size = min(size, rewards.shape[1])
    best = max(value(rewards, chosen) for chosen in combinations(range(rewards.shape[1]), size))
    found = lazy_greedy(rewards, [1] * rewards.shape[1], size)
    assert found.coverage[-1] == pytest.approx(value(rewards, found.chosen))
    assert found.coverage[-1] >= (1 - 1 / np.e) * best - 1e-12


@given(REWARDS)
def test_what_is_gained_shrinks_with_every_sequence(rewards: np.ndarray) -> None:
    gains = np.diff(lazy_greedy(rewards, [1] * rewards.shape[1], 7).coverage)
    assert (gains > 0).all() and (np.diff(gains) <= 1e-12).all()


def test_of_equal_gains_the_shorter_sequence_is_taken_then_the_first() -> None:
    rewards = np.array([[0.5, 0.5, 0.5]])
    assert lazy_greedy(rewards, [2, 1, 1], 3).chosen == (1,)
    assert lazy_greedy(rewards, [1, 1, 1], 3).chosen == (0,)


def test_what_doing_nothing_is_worth_need_not_be_gained() -> None:
    rewards = np.array([[0.1, -0.5], [-0.2, -0.1]])
    found = lazy_greedy(rewards, [1, 1], 2, np.array([0.2, -0.3]))
    assert found.chosen == (1,) and found.coverage == pytest.approx([-0.05, 0.05])


def test_rewards_are_shares_of_the_reference_or_of_the_start() -> None:
    least, initial, reference = np.array([[5, 8], [4, 2]]), np.array([10, 4]), np.array([8, 2])
    assert reward(least, initial, reference).tolist() == [[3 / 8, 0.0], [-1.0, 0.0]]
    assert reward(least, initial, reference, "o0").tolist() == [[0.5, 0.2], [0.0, 0.5]]
    assert reward(initial, initial, reference).tolist() == [-0.25, -1.0]


def test_what_cannot_be_covered_is_refused() -> None:
    one = np.zeros((1, 1))
    with pytest.raises(InvalidProblem, match="there are 1 programs and 0 sequences"):
        greedy(np.zeros((1, 0)), [], 1)
    with pytest.raises(InvalidProblem, match="there are 2 lengths for 1 sequences"):
        lazy_greedy(one, [1, 1], 1)
    with pytest.raises(InvalidProblem, match="a reward is not finite"):
        greedy(one * np.nan, [1], 1)
    with pytest.raises(ConfigError, match=r"coreset.size is 0; give at least 1"):
        lazy_greedy(one, [1], 0)
    with pytest.raises(ConfigError, match=r"coreset.reward is 'o3'; choose oz or o0"):
        reward(one, one[0], one[0], "o3")
    with pytest.raises(InvalidProblem, match="program 0 has no instruction to save"):
        reward(one, one[0], one[0])
