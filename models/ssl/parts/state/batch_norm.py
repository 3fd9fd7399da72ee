"""Batch norm over the rows of all processes, on any device (that of torch runs on GPUs only)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.ssl.parts.state.gather import processes
from models.ssl.parts.state.reduce import sum_over_processes


class SharedBatchNorm(_BatchNorm):
    """Batch norm (rows, channels, ...) whose statistics in training are those of the rows of all ranks together.

    Takes the settings of ``torch.nn.BatchNorm1d``. Without ``torch.distributed`` it is that. Statistics are computed in
    float32 or better, the mean first and then the squares about it.
    """

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"batch norm of a tensor with {x.dim()} dimension(s); give (rows, channels, ...)")

    def forward(self, x: Float[Tensor, "rows channels *places"]) -> Float[Tensor, "rows channels *places"]:
        """Normalise ``x``; in evaluation with the moving averages."""
        if processes() == 1 or not self.training:
            return super().forward(x)
        return self._over_all_ranks(x)

    def _over_all_ranks(self, x: Tensor) -> Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        over = [axis for axis in range(x.dim()) if axis != 1]
        shape = [1, -1, *[1] * (x.dim() - 2)]
        count = x.numel() // x.shape[1] * processes()  # all ranks hold equally many rows
        mean = sum_over_processes(wide.sum(over)) / count
        centred = wide - mean.view(shape)
        variance = sum_over_processes((centred**2).sum(over)) / count
        self._remember(mean.detach(), variance.detach() * count / max(count - 1, 1))
        normal = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, unbiased: Tensor) -> None:
        if not self.training or self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        rate = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked or 1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), rate)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), rate)


def share_batch_norm(module: nn.Module) -> nn.Module:
    """Replace every batch norm below ``module`` in place by one over all ranks, weights and averages kept.

    A module that is a batch norm itself is returned replaced.
    """
    if isinstance(module, _BatchNorm) and not isinstance(module, SharedBatchNorm | nn.SyncBatchNorm):
        return _shared(module)
    for name, child in module.named_children():
        setattr(module, name, share_batch_norm(child))
    return module


def _shared(norm: _BatchNorm) -> SharedBatchNorm:
    shared = SharedBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    shared.train(norm.training)
    shared.weight, shared.bias = norm.weight, norm.bias
    shared.running_mean, shared.running_var = norm.running_mean, norm.running_var
    shared.num_batches_tracked = norm.num_batches_tracked
    return shared
