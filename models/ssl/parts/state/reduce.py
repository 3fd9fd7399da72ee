"""Sums and means over processes, with gradient, in the convention of ``gather``."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor

from models.ssl.parts.state.gather import processes


def sum_over_processes(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The sum of ``x`` over the processes, the same on each; backward sums too. Collective."""
    return x if processes() == 1 else _Sum.apply(x)


def mean_over_processes(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The mean of ``x`` over the processes: of means over equally many rows, the mean over all rows. Collective."""
    return x if processes() == 1 else _Sum.apply(x) / processes()


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _summed(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _summed(gradient)


def _summed(x: Tensor) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    torch.distributed.all_reduce(total)
    return total
