"""A function on several processes of this machine that can reach each other through ``torch.distributed``.

For what is measured of them, and for checks of what must not depend on their number.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed

from runs import child_start

T = TypeVar("T")
PATIENCE = timedelta(seconds=60)
"""How long a process waits for the others."""


def on_processes(function: Callable[[int], T], processes: int = 2, backend: str = "gloo") -> list[T]:
    """``function(rank)`` on processes that are forked from this one.

    Parameters
    ----------
    function
        Called once in each process, with its rank from 0.
    processes
        How many.
    backend
        ``gloo``; or ``nccl``, where each process has the GPU of its rank: such processes begin anew, since CUDA cannot be
        forked, and ``function`` must be importable.

    Returns
    -------
    list
        The results in order of rank; tensors come by value.

    Raises
    ------
    RuntimeError
        A process failed; holds its traceback.
    """
    context: Any = multiprocessing.get_context("fork" if backend == "gloo" else "spawn")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        children = []
        for rank in range(processes):
            receiver, sender = context.Pipe(duplex=False)
            child = context.Process(
                target=_child, args=(function, rank, processes, backend, store, sender, os.getpid()), daemon=True
            )
            child.start()
            sender.close()
            children.append((child, receiver))
        answers = [_answer(receiver) for _, receiver in children]
        for child, _ in children:
            child.join()
    failures = [text for failed, text in answers if failed]
    if failures:
        raise RuntimeError("\n".join(failures))
    return [result for _, result in answers]


def _child(
    function: Callable[[int], Any],
    rank: int,
    processes: int,
    backend: str,
    store: Path,
    sender: Connection,
    parent: int,
) -> None:
    child_start.die_with(parent)
    torch.set_num_threads(1)
    try:
        if backend == "nccl":
            torch.cuda.set_device(rank)
        inherited = torch.distributed.GroupMember.WORLD  # of the rank that was forked; its threads were not
        torch.distributed.GroupMember.WORLD = None
        torch.distributed.init_process_group(
            backend,
            store=torch.distributed.FileStore(str(store), processes),
            rank=rank,
            world_size=processes,
            timeout=PATIENCE,
        )
        answer = (False, function(rank))
        if inherited is None:
            torch.distributed.destroy_process_group()  # all groups there are
    except Exception:
        answer = (True, traceback.format_exc())
    sender.send_bytes(pickle.dumps(answer))


def _answer(receiver: Connection) -> tuple[bool, Any]:
    try:
        return pickle.loads(receiver.recv_bytes())
    except EOFError:
        return True, "a process ended without an answer"
