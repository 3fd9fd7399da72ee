"""Several processes of this machine: they see each other, and none is left behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
import torch.distributed

from runs.local_processes import on_processes


def test_processes_see_each_other_and_answer_in_order_of_rank() -> None:
    def add(rank: int) -> tuple[int, int, float]:
        total = torch.tensor(float(rank + 1))
        torch.distributed.all_reduce(total)
        return rank, os.getpid(), total.item()

    answers = on_processes(add, 3)
    assert [(rank, total) for rank, _, total in answers] == [(0, 6.0), (1, 6.0), (2, 6.0)]
    assert len({pid for _, pid, _ in answers} | {os.getpid()}) == 4
    assert not torch.distributed.is_initialized()


def test_tensors_come_by_value() -> None:
    first, second = on_processes(lambda rank: torch.full((3,), float(rank)))
    assert first.tolist() == [0.0, 0.0, 0.0] and second.tolist() == [1.0, 1.0, 1.0]


def test_a_failure_of_a_process_is_told_with_its_traceback() -> None:
    def fails(rank: int) -> None:
        if rank == 1:
            raise ValueError("rank one is unwell")

    with pytest.raises(RuntimeError, match="rank one is unwell"):
        on_processes(fails)


def test_a_process_that_dies_is_noticed() -> None:
    def dies(rank: int) -> None:
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(RuntimeError, match="ended without an answer"):
        on_processes(dies)


def test_processes_of_a_rank_have_a_group_of_their_own(tmp_path: Path) -> None:
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        assert on_processes(lambda rank: torch.distributed.get_world_size(), 2) == [2, 2]
        assert on_processes(summed_ranks, 3) == [3.0] * 3
        assert torch.distributed.get_world_size() == 1
    finally:
        torch.distributed.destroy_process_group()


def summed_ranks(rank: int) -> float:
    total = torch.tensor(float(rank))
    torch.distributed.all_reduce(total)
    return float(total)
