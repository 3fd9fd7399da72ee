"""A linear classifier of h that is trained beside the encoder and cannot touch it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from models.ssl.parts.state.reduce import mean_over_processes
from runs.errors import ConfigError


class OnlineProbe(nn.Module):
    """Softmax regression by SGD with momentum, its gradient in closed form.

    Its weights are buffers: no optimiser, no gradient clipping and no reducer of gradients ever sees them, so labels have no
    way to the encoder.

    Parameters
    ----------
    width
        Of h.
    classes
        Number of classes.
    lr
        Times the mean of |h|^2: so it suits features of any scale.
    momentum
        Of its SGD.

    Raises
    ------
    ConfigError
        ``lr`` is not positive.
    """

    weight: Tensor
    velocity: Tensor

    def __init__(self, width: int, classes: int, lr: float = 1.0, momentum: float = 0.9) -> None:
        super().__init__()
        if not lr > 0:
            raise ConfigError(f"task.probe_lr is {lr}; give a positive number")
        self.lr, self.momentum = lr, momentum
        self.register_buffer("weight", torch.zeros(classes, width + 1))
        self.register_buffer("velocity", torch.zeros(classes, width + 1))

    @torch.no_grad()
    def step(self, h: Float[Tensor, "rows width"], labels: Int[Tensor, " rows"]) -> Float[Tensor, ""]:
        """Predict, then learn from one batch of all processes; returns the accuracy before learning, in percent."""
        with torch.autocast(h.device.type, enabled=False):
            rows = torch.cat([h.to(self.weight.dtype), h.new_ones(len(h), 1, dtype=self.weight.dtype)], 1)
            probabilities = (rows @ self.weight.T).softmax(1)
            right = (probabilities.argmax(1) == labels).to(self.weight.dtype).mean()
            error = probabilities - functional.one_hot(labels, len(self.weight)).to(rows.dtype)
            gradient = mean_over_processes(error.T @ rows / len(rows))
            scale = mean_over_processes(rows.square().sum(1).mean())  # at least 1: the constant is a feature too
            self.velocity.mul_(self.momentum).add_(gradient)
            self.weight.sub_(self.lr / scale * self.velocity)
        return 100.0 * right
