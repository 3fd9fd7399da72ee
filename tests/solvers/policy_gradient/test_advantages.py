"""Advantages against sums written out, and what they must equal in special cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from solvers.policy_gradient.advantages import gae, returns, v_trace

STEPS, EPISODES = 7, 3


def drawn(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Log ratios, rewards, values, following values and ends."""
    rng = np.random.default_rng(seed)
    arrays = (0.7 * rng.normal(size=(STEPS, EPISODES)) for _ in range(3))
    ratios, rewards, values = (torch.from_numpy(array) for array in arrays)
    following = torch.from_numpy(rng.normal(size=EPISODES))
    return ratios, rewards, values, following, torch.from_numpy(rng.random((STEPS, EPISODES)) < 0.25)


def steps_of(episode: int, start: int, ended: Tensor) -> list[int]:
    """The steps from ``start`` on that belong to the same episode."""
    found = []
    for step in range(start, STEPS):
        found.append(step)
        if ended[step, episode]:
            break
    return found


def error(
    step: int, episode: int, rewards: Tensor, values: Tensor, following: Tensor, ended: Tensor, g: float
) -> float:
    after = values[step + 1, episode] if step + 1 < STEPS else following[episode]
    return float(rewards[step, episode] + (0 if ended[step, episode] else g * after) - values[step, episode])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), discount=st.floats(0, 1), decay=st.floats(0, 1))
def test_gae_is_the_decayed_sum_of_errors_until_the_episode_ends(seed: int, discount: float, decay: float) -> None:
    _, rewards, values, following, ended = drawn(seed)
    found = gae(rewards, values, following, ended, discount, decay)
    for start in range(STEPS):
        for i in range(EPISODES):
            expected = sum(
                (discount * decay) ** k * error(step, i, rewards, values, following, ended, discount)
                for k, step in enumerate(steps_of(i, start, ended))
            )
            assert float(found[start, i]) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), discount=st.floats(0, 1), most=st.floats(0.5, 3))
def test_v_trace_is_the_sum_of_its_definition(seed: int, discount: float, most: float) -> None:
    ratios, rewards, values, following, ended = drawn(seed)
    found = v_trace(ratios, rewards, values, following, ended, discount, most)
    targets = torch.empty_like(values)
    for start in range(STEPS):
        for i in range(EPISODES):
            total, traces = 0.0, 1.0
            for k, step in enumerate(steps_of(i, start, ended)):
                ratio = float(ratios[step, i].exp())
                total += discount**k * traces * min(most, ratio) * error(
                    step, i, rewards, values, following, ended, discount
                )  # fmt: skip
                traces *= min(1.0, ratio)
            targets[start, i] = values[start, i] + total
    assert torch.allclose(found.targets, targets, atol=1e-12)
    for start in range(STEPS):
        for i in range(EPISODES):
            expected = error(start, i, rewards, values, following, ended, 0)
            if not ended[start, i]:
                expected += discount * float(targets[start + 1, i] if start + 1 < STEPS else following[i])
            weight = min(most, float(ratios[start, i].exp()))
            assert float(found.advantages[start, i]) == pytest.approx(weight * expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_on_policy_v_trace_aims_at_the_n_step_return(seed: int) -> None:
    _, rewards, values, following, ended = drawn(seed)
    found = v_trace(torch.zeros_like(rewards), rewards, values, following, ended, 0.9)
    n_step = returns(rewards, ended, following, 0.9)
    assert torch.allclose(found.targets, n_step, atol=1e-12), "TD(1)"
    assert torch.allclose(found.targets - values, gae(rewards, values, following, ended, 0.9, 1.0), atol=1e-12)


def test_gae_without_decay_is_the_error_of_one_step() -> None:
    _, rewards, values, following, ended = drawn(0)
    found = gae(rewards, values, following, ended, 0.9, 0.0)
    assert float(found[2, 1]) == pytest.approx(error(2, 1, rewards, values, following, ended, 0.9))


def test_returns_of_a_geometric_series() -> None:
    found = returns(torch.ones(4, 1), torch.tensor([[0], [1], [0], [0]], dtype=torch.bool), torch.tensor([8.0]), 0.5)
    assert found[:, 0].tolist() == [1.5, 1.0, 3.5, 5.0]
