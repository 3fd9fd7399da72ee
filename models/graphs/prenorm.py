"""Normalisation by statistics of the data, measured before training and then frozen (docs/papers/cl_lns.md#3.7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor, nn


class Moments:
    """Mean and variance of rows that come in pieces, exact up to float64 (Chan et al., 1979).

    Parameters
    ----------
    like
        A (width,) tensor whose device is used.
    """

    def __init__(self, like: Tensor) -> None:
        self.count = torch.zeros((), dtype=torch.float64, device=like.device)
        self.mean = torch.zeros_like(like, dtype=torch.float64)
        self.squares = torch.zeros_like(self.mean)

    def update(self, x: Float[Tensor, "items width"]) -> None:
        """Take more rows into account."""
        if not len(x):
            return
        x = x.detach().double()
        mean = x.mean(0)
        self._merge(torch.as_tensor(len(x), device=x.device).double(), mean, (x - mean).square().sum(0))

    def _merge(self, count: Tensor, mean: Tensor, squares: Tensor) -> None:
        total = self.count + count
        step = mean - self.mean
        self.mean = self.mean + step * (count / total)
        self.squares = self.squares + squares + step.square() * (self.count * count / total)
        self.count = total

    def of_all_processes(self) -> Moments:
        """Merged with what the other processes saw, in the order of their ranks; itself where there is one."""
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self
        own = torch.cat([self.count[None], self.mean, self.squares])
        parts = [torch.empty_like(own) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(parts, own)
        merged = Moments(self.mean)
        for part in parts:
            if part[0] > 0:
                merged._merge(part[0], *part[1:].chunk(2))
        return merged

    @property
    def std(self) -> Float[Tensor, " width"]:
        """Standard deviation (of the population); 1 where it is 0 in single precision."""
        std = (self.squares / self.count.clamp(min=1)).sqrt()
        return torch.where(std <= torch.finfo(torch.float32).eps * self.mean.abs(), 1.0, std)


class Prenorm(nn.Module):
    """``(x - mean) / std``, the identity until it is fitted.

    Parameters
    ----------
    width
        Number of columns.
    shift
        False: divide only.
    unchanged
        Columns that pass as they are.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int, shift: bool = True, unchanged: Sequence[int] = ()) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))
        self.shift, self.unchanged = shift, list(unchanged)
        self._moments: Moments | None = None

    def forward(self, x: Float[Tensor, "items width"]) -> Float[Tensor, "items width"]:
        """Normalised rows."""
        if self._moments is not None:
            self._moments.update(x)
        return (x - self.mean) / self.std if self.shift else x / self.std

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Measure everything that passes within the block, in all processes, and be fitted to it from its end on."""
        self._moments = Moments(self.mean)
        try:
            yield
            self._fit(self._moments.of_all_processes())
        finally:
            self._moments = None

    def _fit(self, moments: Moments) -> None:
        mean, std = moments.mean if self.shift else torch.zeros_like(moments.mean), moments.std
        mean[self.unchanged], std[self.unchanged] = 0.0, 1.0
        self.mean.copy_(mean)
        self.std.copy_(std)
