"""Batch norm over all processes against that of torch on one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.ssl.parts.state.batch_norm import SharedBatchNorm, share_batch_norm
from runs.local_processes import on_processes


def network(affine: bool, momentum: float | None) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=affine, momentum=momentum), nn.Flatten())
    return nn.Sequential(layers, nn.Linear(36, 5), nn.BatchNorm1d(5, affine=affine, momentum=momentum)).double()


def outcome(module: nn.Module, x: torch.Tensor, scale: int) -> dict[str, torch.Tensor]:
    for _ in range(2):
        module.zero_grad()
        x = x.detach().requires_grad_()
        y = module(x)
        (y**3).sum().mul(scale).backward()
    gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    assert x.grad is not None
    return {"output": y.detach(), "input": x.grad, **gradients, **dict(module.named_buffers())}


@pytest.mark.parametrize(("affine", "momentum"), [(True, 0.1), (False, None)])
def test_outputs_gradients_and_averages_are_those_of_one_process(affine: bool, momentum: float | None) -> None:
    x = torch.randn(12, 3, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    alone = outcome(network(affine, momentum), x, 1)

    def share(rank: int) -> dict[str, torch.Tensor]:
        return outcome(share_batch_norm(network(affine, momentum)), x.chunk(2)[rank], 1)

    ranks = on_processes(share, 2)
    for key, expected in alone.items():
        parts = [rank[key] for rank in ranks]
        if key in ("output", "input"):
            found = torch.cat(parts)
        elif "weight" in key or "bias" in key:
            found = parts[0] + parts[1]
        else:
            found = parts[1]
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10, msg=lambda text, key=key: f"{key}: {text}")


def test_replacing_keeps_weights_and_averages_and_is_done_once() -> None:
    module = network(True, 0.1)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    shared = share_batch_norm(share_batch_norm(module))
    assert sum(isinstance(part, SharedBatchNorm) for part in shared.modules()) == 2
    assert all(torch.equal(value, shared.state_dict()[key]) for key, value in before.items())
    assert isinstance(share_batch_norm(nn.BatchNorm1d(3)), SharedBatchNorm)
