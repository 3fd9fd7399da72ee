"""The moving average of encoder and projector that gives the targets of self-distillation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from models.ssl.parts import passes
from models.ssl.parts.momentum import MomentumCopy, cosine_momentum
from models.ssl.recipe import Moment
from runs.errors import ConfigError


class Target(nn.Module):
    """t = sg g'(f'(x)), where f' and g' are moving averages of f and g.

    Parameters
    ----------
    encoder, projector
        f and g; copied, not held.
    start, end
        Momentum at the first and at the last step, in between on a half cosine (docs/papers/ssl.md#(2)).
    buffers
        What becomes of the statistics of batch norms: "copy" or "average".

    Raises
    ------
    ConfigError
        A momentum is outside [0, 1], or ``buffers`` is unknown.
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module,
        start: float = 0.99,
        end: float = 1.0,
        buffers: Literal["copy", "average"] = "copy",
    ) -> None:
        super().__init__()
        for name, value in (("start", start), ("end", end)):
            if not 0 <= value <= 1:
                raise ConfigError(f"model.target.{name} is {value}; give a momentum in [0, 1]")
        self.start, self.end = start, end
        self.network = MomentumCopy(nn.Sequential(encoder, projector), buffers=buffers)

    @torch.no_grad()
    def forward(self, views: Sequence[Tensor], one_pass: bool = False) -> list[Tensor]:
        """t of every view, without gradient; batch norms use the statistics of the batch."""
        return passes.through(self.network, views, one_pass)

    def update(self, encoder: nn.Module, projector: nn.Module, moment: Moment) -> None:
        """Move the averages after a step of the optimiser."""
        momentum = cosine_momentum(moment.step, moment.steps, self.start, self.end)
        self.network.update(nn.Sequential(encoder, projector), momentum)
