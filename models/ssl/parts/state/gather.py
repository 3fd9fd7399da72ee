"""Rows of all processes, with gradient.

The convention of every loss here: each process returns the loss of the batch of all processes, and its gradient counts the
paths through every process's copy of that loss. DDP's mean over the processes is then the gradient of one process with the
whole batch. A gather that cuts the gradient gives the right loss and a wrong gradient.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed
from jaxtyping import Shaped
from torch import Tensor


def processes() -> int:
    """Number of processes that share a batch; 1 without ``torch.distributed``."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_world_size()
    return 1


def rank_offset(rows: int) -> int:
    """Where this process's ``rows`` begin in what ``gather`` returns."""
    return torch.distributed.get_rank() * rows if processes() > 1 else 0


def gather(x: Shaped[Tensor, "rows ..."]) -> Shaped[Tensor, "all_rows ..."]:
    """The rows of all processes in order of rank; ``x`` itself where there is one process.

    Collective, forward and backward. Backward sums the gradient over the processes and keeps this process's part.

    Parameters
    ----------
    x
        As many rows as on every other process.
    """
    return x if processes() == 1 else _Gather.apply(x)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(processes())]
        torch.distributed.all_gather(parts, x.contiguous())
        ctx.rows = len(x)
        return torch.cat(parts)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total[rank_offset(ctx.rows) :][: ctx.rows]
