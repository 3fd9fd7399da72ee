"""Whole steps of plans on real processes: each looks its own shard up, exchanges, and goes all the way back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data.sharding.oracles.all_to_all import Exchange, import_of_exchanges, now
from data.sharding.oracles.kernel import Kernel
from data.sharding.oracles.timing import gradients, settle_allocator
from data.sharding.plan import Pieces
from data.sharding.tables import EmbeddingTables
from runs.local_processes import on_processes


class RealSteps(NamedTuple):
    """What each process took for each step, in ms.

    Parameters
    ----------
    processor
        (devices, plans, steps) of a processor: neither other programs nor waiting count.
    wall
        (devices, plans, steps) of time.
    """

    processor: Float[np.ndarray, "devices plans steps"]
    wall: Float[np.ndarray, "devices plans steps"]

    def processor_cost(self, steps: slice = slice(None)) -> Float[np.ndarray, " plans"]:
        """Of the process that needs most, where the mean of three smallest steps of each process counts."""
        return np.sort(self.processor[:, :, steps], axis=2)[:, :, :3].mean(axis=2).max(axis=0)

    def wall_cost(self, steps: slice = slice(None)) -> Float[np.ndarray, " plans"]:
        """The median over steps of the slowest process."""
        return np.median(self.wall[:, :, steps].max(axis=0), axis=1)


def real_steps(
    kernel: Kernel,
    tables: EmbeddingTables,
    plans: Sequence[Pieces],
    devices: int,
    backend: str = "gloo",
    warmup: int = 5,
    steps: int = 30,
    flush_mb: float = 16.0,
) -> RealSteps:
    """Run every plan on ``devices`` processes; the plans take turns.

    Parameters
    ----------
    kernel
        Looks the tables up.
    tables
        Of the plans.
    plans
        Pieces by device.
    backend
        ``gloo``, or ``nccl`` with a GPU for each.
    warmup, steps
        Before, and those that are timed.
    flush_mb
        Megabytes that every process writes before a step.
    """
    import_of_exchanges()
    of_rank = partial(_of_rank, kernel, tables, plans, devices, warmup, steps, flush_mb)
    by_rank = np.stack(on_processes(of_rank, devices, backend))
    return RealSteps(by_rank[:, 0], by_rank[:, 1])


@gradients()
def _of_rank(
    kernel: Kernel,
    tables: EmbeddingTables,
    plans: Sequence[Pieces],
    devices: int,
    warmup: int,
    steps: int,
    flush_mb: float,
    rank: int,
) -> Float[np.ndarray, "clocks plans steps"]:
    found = np.empty((2, len(plans), steps))
    settle_allocator()
    flushed = torch.zeros(int(flush_mb * 2**18), device=kernel.device)
    shards = [_Shard(kernel, tables, pieces, devices, rank) for pieces in plans]
    for step in range(-warmup, steps):
        for plan, shard in enumerate(shards):
            flushed.add_(1.0)
            torch.distributed.barrier()
            begin = now("processor", kernel.device), now("wall", kernel.device)
            shard.step()
            end = now("processor", kernel.device), now("wall", kernel.device)
            if step >= 0:
                found[:, plan, step] = 1e3 * np.subtract(end, begin)
            shard.forget()
    return found


class _Shard:
    """One process's part of a plan."""

    def __init__(self, kernel: Kernel, tables: EmbeddingTables, pieces: Pieces, devices: int, rank: int) -> None:
        held = pieces.shard == rank
        self.operation = kernel.operation(tables, pieces.table[held], pieces.dim[held]) if held.any() else None
        sums = np.bincount(pieces.shard, weights=pieces.dim, minlength=devices)
        self.exchange, self.rank = Exchange.of(tables.batch, sums.tolist()), rank
        self.nothing = torch.zeros(tables.batch, 0, device=kernel.device)
        self.gradient: Tensor | None = None

    def step(self) -> None:
        """Forward, there, back, backward."""
        local = self.nothing.requires_grad_() if self.operation is None else torch.cat(self.operation.forward(), 1)
        received = self.exchange(local, self.rank)
        if self.gradient is None:
            self.gradient = torch.randn_like(received)
        received.backward(self.gradient)

    def forget(self) -> None:
        """Drop the gradients."""
        if self.operation is not None:
            self.operation.forget()
