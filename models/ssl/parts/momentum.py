"""The target as an exponential moving average of the online network."""

from __future__ import annotations

import copy
import math
from typing import Any, Literal

import torch
from torch import nn

from models.encoders.drop_path import DropPath
from models.encoders.dropout import SharedDropout
from runs.errors import ConfigError


class MomentumCopy(nn.Module):
    """A copy of a module that follows it slowly and gets no gradient; it is called as the module is.

    The copy drops nothing (dropout, drop path), whatever the module does.

    Parameters
    ----------
    module
        The online network; the copy starts equal to it.
    buffers
        What :meth:`update` does with statistics of batch norms and the like: "copy" those of the module or "average" them as
        weights. Whole numbers are copied.

    Raises
    ------
    ConfigError
        ``buffers`` is unknown.
    """

    def __init__(self, module: nn.Module, buffers: Literal["copy", "average"] = "copy") -> None:
        super().__init__()
        if buffers not in ("copy", "average"):
            raise ConfigError(f"buffers of the moving average is '{buffers}'; choose copy or average")
        self.rule = buffers
        self.module = copy.deepcopy(module).requires_grad_(False)
        for part in self.module.modules():
            if isinstance(part, SharedDropout | DropPath):
                part.probability = 0.0

    @torch.no_grad()
    def forward(self, *arguments: Any, **options: Any) -> Any:
        """The copy's output, without a graph."""
        return self.module(*arguments, **options)

    @torch.no_grad()
    def update(self, module: nn.Module, momentum: float) -> None:
        """copy <- momentum copy + (1 - momentum) module; for after the optimiser's step."""
        averaged = list(zip(self.module.parameters(), module.parameters(), strict=True))
        for ours, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            if self.rule == "average" and ours.is_floating_point():
                averaged.append((ours, theirs))  # type: ignore[arg-type]
            else:
                ours.copy_(theirs)
        if averaged:
            torch._foreach_lerp_([pair[0] for pair in averaged], [pair[1] for pair in averaged], 1 - momentum)


def cosine_momentum(step: int, steps: int, start: float, end: float = 1.0) -> float:
    """end - (end - start)(1 + cos(pi step / (steps - 1))) / 2: ``start`` at the first step, ``end`` at the last.

    Raises
    ------
    ConfigError
        One of them is outside [0, 1].
    """
    if not (0 <= start <= 1 and 0 <= end <= 1):
        raise ConfigError(f"momentum of the moving average goes from {start} to {end}; give numbers in [0, 1]")
    if steps < 2:
        return end
    return end - (end - start) * (1 + math.cos(math.pi * min(step, steps - 1) / (steps - 1))) / 2
