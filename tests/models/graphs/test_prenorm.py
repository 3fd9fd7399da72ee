"""Normalisation by measured statistics, in pieces and on two processes."""

from __future__ import annotations

import multiprocessing
import socket
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.graphs.prenorm import Moments, Prenorm


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 40), max_size=4), shift=st.floats(-1e6, 1e6), seed=st.integers(0, 99))
def test_moments_of_pieces_are_those_of_the_whole(cuts: list[int], shift: float, seed: int) -> None:
    x = shift + torch.randn(40, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    moments = Moments(x[0])

    for piece in torch.tensor_split(x, sorted(cuts)):
        moments.update(piece)

    torch.testing.assert_close(moments.mean, x.mean(0))
    torch.testing.assert_close(moments.std, x.std(0, unbiased=False), rtol=1e-6, atol=0)


def test_constant_columns_are_divided_by_one_and_chosen_ones_pass() -> None:
    norm, x = Prenorm(3, unchanged=[1]), torch.tensor([[0.1, 5.0, 1.0], [0.1, 7.0, 3.0]])

    with norm.fitting():
        norm(x)

    torch.testing.assert_close(norm(x), torch.tensor([[0.0, 5.0, -1.0], [0.0, 7.0, 1.0]]))
    torch.testing.assert_close(norm(x + 1)[:, 0], torch.ones(2))


def test_without_shift_values_are_only_divided() -> None:
    norm, x = Prenorm(1, shift=False), torch.tensor([[1.0], [5.0]])

    with norm.fitting():
        norm(x)

    assert norm(x).flatten().tolist() == [0.5, 2.5]


def test_an_interrupted_fit_leaves_the_statistics_as_they_were() -> None:
    norm = Prenorm(1)

    with pytest.raises(KeyboardInterrupt), norm.fitting():
        norm(torch.tensor([[1.0], [5.0]]))
        raise KeyboardInterrupt

    assert norm(torch.tensor([[3.0]])).item() == 3.0


def _fit(rank: int, port: int, shares: list[torch.Tensor], results: Any) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=len(shares))
    norm = Prenorm(2)
    with norm.fitting():
        norm(shares[rank])
    results.put((norm.mean.tolist(), norm.std.tolist()))
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("first", [3, 10])
def test_two_processes_measure_what_one_does_though_one_may_have_nothing(first: int) -> None:
    x = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    shares = [x[:first], x[first:]]
    processes = [context.Process(target=_fit, args=(rank, port, shares, results)) for rank in range(2)]
    for process in processes:
        process.start()
    one, two = results.get(), results.get()
    for process in processes:
        process.join(60)

    assert one == two
    assert one[0] == pytest.approx(x.mean(0).tolist(), rel=1e-6)
    assert one[1] == pytest.approx(x.std(0, unbiased=False).tolist(), rel=1e-6)
