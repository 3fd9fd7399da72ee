"""Layer-wise adaptive rates for large batches (docs/papers/ssl.md#2.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from runs.errors import ConfigError


class LARS(Optimizer):
    """v <- momentum v + r (g + wd w), w <- w - lr v, with r = eta |w| / (|g| + wd |w| + eps) of each matrix.

    Parameters of one dimension (biases, norms) have no weight decay and r = 1; r = 1 also where all weights or all gradients
    of a matrix are zero.

    Parameters
    ----------
    params
        Parameters or groups of them.
    lr
        Learning rate.
    momentum
        Weight of the past updates.
    weight_decay
        wd.
    eta
        Trust coefficient: 0.001 for ImageNet, 0.02 for CIFAR.
    clip
        r <- min(r / lr, 1), so that no matrix moves faster than plain SGD would.
    eps
        Keeps r finite.

    Raises
    ------
    ConfigError
        A number is negative, or ``momentum`` is not below 1.

    References
    ----------
    You et al., Large batch training of convolutional networks (2017), algorithm 1.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        eta: float = 0.001,
        clip: bool = False,
        eps: float = 1e-8,
    ) -> None:
        for name, value in (("lr", lr), ("weight_decay", weight_decay), ("eta", eta), ("eps", eps)):
            if not value >= 0:
                raise ConfigError(f"optimizer.{name} of LARS is {value}; it must not be negative")
        if not 0 <= momentum < 1:
            raise ConfigError(f"optimizer.momentum of LARS is {momentum}; give a number in [0, 1)")
        super().__init__(
            params,
            {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eta": eta, "clip": clip, "eps": eps},
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One update of all parameters that have a gradient; the value of ``closure`` if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, w: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        if w.ndim > 1:
            g = g.add(w, alpha=group["weight_decay"]) * _trust(w, g, group)
        state = self.state[w]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(w)
        v = state["momentum_buffer"].mul_(group["momentum"]).add_(g)
        w.add_(v, alpha=-group["lr"])


def _trust(w: Tensor, g: Tensor, group: dict[str, Any]) -> Tensor:
    """r, as a tensor: the device is not asked for numbers."""
    weights, gradients = torch.linalg.vector_norm(w), torch.linalg.vector_norm(g)
    r = group["eta"] * weights / (gradients + group["weight_decay"] * weights + group["eps"])
    if group["clip"]:
        r = (r / group["lr"]).clamp(max=1) if group["lr"] else torch.ones_like(r)
    return torch.where((weights > 0) & (gradients > 0), r, 1.0)
