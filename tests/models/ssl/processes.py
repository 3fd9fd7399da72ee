"""A function on two gloo processes."""

from __future__ import annotations

import io
import multiprocessing
import socket
from collections.abc import Callable
from typing import Any

import torch


def two_ranks(function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """``function(rank, *arguments)`` of both ranks, in order of rank; tensors cross by value."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    processes = [context.Process(target=_rank, args=(rank, port, results, function, arguments)) for rank in range(2)]
    for process in processes:
        process.start()
    outcomes = dict(results.get() for _ in processes)
    for process in processes:
        process.join(60)
    return [torch.load(io.BytesIO(outcomes[rank]), weights_only=True) for rank in range(2)]


def _rank(rank: int, port: int, results: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    stream = io.BytesIO()
    torch.save(function(rank, *arguments), stream)
    results.put((rank, stream.getvalue()))
    torch.distributed.destroy_process_group()
