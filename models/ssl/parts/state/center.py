"""The moving centre of a teacher's outputs (docs/papers/ssl.md#2.6; arXiv 2104.14294, section 3.1)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.precision import full_precision
from models.ssl.parts.state.reduce import sum_over_processes
from runs.errors import ConfigError


class Center(nn.Module):
    """``c <- m c + (1 - m) mean(t)`` over the rows of all processes, 0 at first; part of the checkpoint.

    Parameters
    ----------
    width
        K, the number of logits.
    momentum
        m, in [0, 1).

    Raises
    ------
    ConfigError
        ``momentum`` is outside [0, 1).
    """

    center: Tensor

    def __init__(self, width: int, momentum: float = 0.9) -> None:
        super().__init__()
        if not 0 <= momentum < 1:
            raise ConfigError(f"momentum of the centre is {momentum}; give a number in [0, 1)")
        self.momentum = momentum
        self.register_buffer("center", torch.zeros(width))

    @torch.no_grad()
    @full_precision
    def forward(self, logits: Float[Tensor, "*rows width"], temperature: float) -> Float[Tensor, "*rows width"]:
        """softmax((t - c)/T), the teacher's probabilities, without gradient, in single precision at least.

        Raises
        ------
        ConfigError
            ``temperature`` is not positive.
        """
        if not temperature > 0:
            raise ConfigError(f"teacher temperature is {temperature}; it must be above 0")
        return ((logits - self.center) / temperature).softmax(-1)

    @torch.no_grad()
    def update(self, logits: Float[Tensor, "*rows width"]) -> None:
        """Move towards the mean of ``logits``, after the loss. Collective; processes may have different numbers of rows.

        Nothing happens where no process has a row.
        """
        rows = logits.flatten(0, -2).to(self.center.dtype)
        total = torch.cat([rows.sum(0), rows.new_full((1,), len(rows))])
        total = sum_over_processes(total)
        count = total[-1]
        mean = torch.where(count > 0, total[:-1] / count.clamp(min=1), self.center)
        self.center.lerp_(mean, 1 - self.momentum)
