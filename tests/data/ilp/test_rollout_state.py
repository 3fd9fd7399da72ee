"""Observations and transitions of RL-LNS (docs/papers/cl_lns.md#7.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.ilp.problem import ILP
from data.ilp.rollout_state import RepeatedMatrix, row_normalized, solution_columns
from data.ilp.transitions import Trajectory, TransitionMemory
from runs.errors import ConfigError


def matrix(rng: np.random.Generator, rows: int, columns: int) -> sp.csr_matrix:
    return sp.csr_matrix(np.where(rng.random((rows, columns)) < 0.4, rng.normal(size=(rows, columns)), 0.0))


def trajectory(rng: np.random.Generator, steps: int, variables: int = 4) -> Trajectory:
    """Random, with rewards 0, 1, 2, ..."""
    return Trajectory(
        matrix(rng, 3, variables).astype(np.float32),
        rng.normal(size=(variables, 13)).astype(np.float32),
        rng.random(variables) < 0.8,
        rng.normal(size=(steps, variables, 5)).astype(np.float32),
        rng.random((steps, variables)) < 0.5,
        np.arange(steps, dtype=np.float32),
    )


def test_rows_are_divided_by_their_norm_and_empty_ones_stay_zero() -> None:
    problem = ILP.build([1, 1, 1], np.array([[3.0, 0, 4], [0, 0, 0], [0, -2, 0]]), -np.inf, 1.0)
    expected = [[0.6, 0, 0.8], [0, 0, 0], [0, -1, 0]]
    assert row_normalized(problem).toarray() == pytest.approx(np.array(expected))


def test_solutions_are_incumbent_mean_incumbent_and_the_last_three() -> None:
    x = [np.full(2, float(value)) for value in range(6)]
    columns = solution_columns([x[5], x[1]], [x[2], x[3], x[4]])
    assert columns.tolist() == [[5, 3, 4, 3, 2]] * 2


def test_solutions_that_do_not_exist_yet_are_zero() -> None:
    one = np.ones(1)
    assert solution_columns([one], [one]).tolist() == [[1, 1, 0, 0, 1]]
    assert solution_columns([one], [one, 7 * one]).tolist() == [[1, 1, 0, 7, 1]]


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.integers(0, 5), st.integers(1, 6), st.integers(1, 3))
def test_a_repeated_matrix_is_the_block_diagonal_matrix(seed: int, rows: int, columns: int, states: int) -> None:
    block = matrix(np.random.default_rng(seed), rows, columns)
    whole = torch.from_numpy(sp.block_diag([block] * states).toarray()).float()
    repeated = RepeatedMatrix(block, states)
    x, y = torch.randn(states * columns, 2), torch.randn(states * rows, 2)
    torch.testing.assert_close(repeated.to_rows(x), whole @ x)
    torch.testing.assert_close(repeated.to_variables(y), whole.T @ y)
    assert torch.equal(repeated.of_states(x)[-1], x[-columns:])


def test_a_batch_holds_states_with_their_successors_and_never_the_last_step() -> None:
    rng = np.random.default_rng(0)
    memory = TransitionMemory(100)
    both = [trajectory(rng, 5), trajectory(rng, 3, variables=6)]
    for one in both:
        memory.add(one)
    batches = memory.sample(100, rng)
    assert [batch.reward.tolist() for batch in batches] == [[0, 1, 2, 3], [0, 1]]
    for one, batch in zip(both, batches, strict=True):
        seen = np.stack([np.concatenate([one.static, solutions], axis=1) for solutions in one.solutions])
        assert (batch.before.numpy() == np.concatenate(seen[:-1])).all()
        assert (batch.after.numpy() == np.concatenate(seen[1:])).all()
        assert (batch.action.numpy() == one.actions[:-1].ravel()).all()
        assert (batch.next_action.numpy() == one.actions[1:].ravel()).all()
        assert (batch.candidates.numpy() == np.tile(one.candidates, len(one))).all()
        assert batch.matrix.states == len(one)


def test_transitions_are_drawn_without_replacement() -> None:
    rng = np.random.default_rng(1)
    memory = TransitionMemory(100)
    memory.add(trajectory(rng, 30))
    (batch,) = memory.sample(10, rng)
    assert len(set(batch.reward.tolist())) == 10


def test_the_oldest_trajectories_are_forgotten() -> None:
    rng = np.random.default_rng(2)
    memory = TransitionMemory(7)
    for steps in (4, 5, 4):
        memory.add(trajectory(rng, steps))
    assert len(memory) == 4 + 3
    memory.add(trajectory(rng, 20))
    assert len(memory) == 19


def test_a_memory_continues_from_its_checkpoint(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    memory, taken_up = TransitionMemory(50), TransitionMemory(50)
    memory.add(trajectory(rng, 6))
    memory.add(trajectory(rng, 4, variables=2))
    torch.save(memory.state(), tmp_path / "memory.pt")
    taken_up.restore(torch.load(tmp_path / "memory.pt", weights_only=True))
    pairs = zip(*(m.sample(5, np.random.default_rng(7)) for m in (memory, taken_up)), strict=True)
    for one, other in pairs:
        for name in ("before", "action", "reward", "after", "next_action", "candidates"):
            assert torch.equal(getattr(one, name), getattr(other, name))
        x = torch.randn(len(one.before), 3)
        assert torch.equal(one.matrix.to_rows(x), other.matrix.to_rows(x))


def test_a_memory_without_room_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"rollouts\.memory is 0"):
        TransitionMemory(0)
