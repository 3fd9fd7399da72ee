"""A copy of a network for one process alone, whatever it was trained on."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class OwnBatchNorm(_BatchNorm):
    """Batch norm (rows, channels, ...) over the rows of this process."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"batch norm of a tensor with {x.dim()} dimension(s); give (rows, channels, ...)")


def copied_for_one_process(network: nn.Module) -> nn.Module:
    """A trainable copy whose batch norms wait for no other process."""
    return _with_own_batch_norms(copy.deepcopy(network)).requires_grad_(True)


def _with_own_batch_norms(module: nn.Module) -> nn.Module:
    if isinstance(module, _BatchNorm):
        own = OwnBatchNorm(module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats)
        own = own.to(next(iter(module.state_dict().values()), own.weight).device)
        own.load_state_dict(module.state_dict())
        return own.train(module.training)
    for name, child in module.named_children():
        setattr(module, name, _with_own_batch_norms(child))
    return module
