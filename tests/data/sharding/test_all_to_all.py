"""The all-to-all of real processes: what arrives, what comes back, and what is measured of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data.sharding.oracles.all_to_all import AllToAll, Exchange, import_of_exchanges
from data.sharding.table_law import LookupLaw
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError
from runs.local_processes import on_processes

DIMS = [16, 0, 48]
BATCH = 8


@pytest.fixture(scope="module")
def tables() -> EmbeddingTables:
    return LookupLaw.of_sizes(np.array([300]), np.array([3.0]), BATCH).tables(["a"], BATCH)


def local(rank: int) -> torch.Tensor:
    return torch.arange(BATCH * DIMS[rank], dtype=torch.float32).view(BATCH, DIMS[rank]) + 1000 * rank


def test_every_device_gets_its_samples_of_all_dimensions_and_gradients_come_back() -> None:
    def of_rank(rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        own = local(rank).requires_grad_()
        received = Exchange.of(BATCH, DIMS)(own, rank)
        received.backward(received.detach() * 2)
        assert own.grad is not None
        return received.detach(), own.grad

    import_of_exchanges()
    answers = on_processes(of_rank, 3)
    begin = 0
    for rank, samples in enumerate([3, 3, 2]):
        received, gradient = answers[rank]
        expected = [local(sender)[begin : begin + samples].flatten() for sender in range(3)]
        assert torch.equal(received, torch.cat(expected))
        assert torch.equal(gradient, 2 * local(rank))
        begin += samples


def test_costs_are_measured_once_and_kept(
    tables: EmbeddingTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = AllToAll(warmup=0, repeats=1, cache=tmp_path)
    sums, start = np.array([[16.0, 0], [8, 8]]), np.array([[0.0, 5], [2, 0]])
    forward = oracle.forward_communication(tables, sums, start)
    assert forward.shape == (2, 2) and (forward > 0).all() and forward[0, 0] > 5 and forward[1, 1] > 2
    monkeypatch.setattr(AllToAll, "measure", lambda *_: pytest.fail("measured again"))
    again = AllToAll(warmup=0, repeats=1, cache=tmp_path)
    assert np.array_equal(again.forward_communication(tables, sums, start), forward)
    assert again.backward_communication(tables, sums).shape == (2, 2)


def test_on_the_wall_clock_a_device_really_waits_for_the_last(tables: EmbeddingTables) -> None:
    sums, start = np.full((1, 2), 4.0), np.array([[0.0, 200.0]])
    waited, late = AllToAll(clock="wall", warmup=0, repeats=1).forward_communication(tables, sums, start)[0]
    assert waited > 50 and late < waited


def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="backend is 'mpi'"):
        AllToAll(backend="mpi")
    with pytest.raises(ConfigError, match="nccl does not spend; give clock=wall"):
        AllToAll(backend="nccl")
    with pytest.raises(ConfigError, match=r"64 devices need a GPU each for nccl"):
        AllToAll(backend="nccl", clock="wall").check(64)
