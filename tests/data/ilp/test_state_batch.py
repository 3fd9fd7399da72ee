"""Joining states into one graph."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from data.ilp.state_batch import collate
from runs.errors import InvalidProblem


def state(seed: int, n: int, m: int, sets: list[list[int]], positives: int) -> Any:
    rng = np.random.default_rng(seed)
    row, variable = np.nonzero(rng.random((m, n)) < 0.5)
    return SimpleNamespace(
        variables=rng.normal(size=(n, 104)).astype(np.float32),
        rows=rng.normal(size=(m, 10)).astype(np.float32),
        edge_index=np.stack([row, variable]),
        edges=rng.normal(size=(len(row), 2)).astype(np.float32),
        member=np.array([j for members in sets for j in members]),
        set_of_member=np.repeat(np.arange(len(sets)), [len(members) for members in sets]),
        positive=np.arange(len(sets)) < positives,
        gain=rng.random(len(sets)),
    )


def test_a_batch_is_the_disjoint_union_of_its_states() -> None:
    first, second = state(0, 4, 3, [[0, 2], [1], [3, 1]], 1), state(1, 5, 2, [[4], [0, 1, 2]], 1)

    batch = collate([first, second])

    assert batch.graphs == 2
    assert batch.graph_of_variable.tolist() == [0] * 4 + [1] * 5
    assert torch.equal(batch.variables[4:], torch.from_numpy(second.variables))
    assert torch.equal(batch.rows[3:], torch.from_numpy(second.rows))
    later = batch.edge_index[:, first.edge_index.shape[1] :].numpy()
    assert (later - np.array([[3], [4]]) == second.edge_index).all()
    assert batch.sets is not None
    assert batch.sets.member.tolist() == [0, 2, 1, 3, 1, 8, 4, 5, 6]
    assert batch.sets.set_of_member.tolist() == [0, 0, 1, 2, 2, 3, 4, 4, 4]
    assert batch.sets.graph.tolist() == [0, 0, 0, 1, 1]
    assert batch.sets.positive.tolist() == [True, False, False, True, False]


def test_a_batch_moves_as_a_whole() -> None:
    moved = collate([state(0, 4, 3, [[0]], 1)]).to("meta")

    assert moved.sets is not None
    assert {moved.variables.device.type, moved.edge_index.device.type, moved.sets.member.device.type} == {"meta"}
    assert moved.graphs == 1


def test_an_empty_set_is_refused() -> None:
    bad = state(0, 4, 3, [[0], [1]], 1)
    bad.set_of_member = np.array([0, 0])

    with pytest.raises(InvalidProblem, match="state 1 of the batch: label set 1 is empty"):
        collate([state(0, 4, 3, [[0]], 1), bad])


def test_a_set_of_another_instance_is_refused() -> None:
    with pytest.raises(InvalidProblem, match="holds variable 7, but there are 4"):
        collate([state(0, 4, 3, [[0, 7]], 1)])
