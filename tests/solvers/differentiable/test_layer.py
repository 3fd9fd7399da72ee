"""An oracle as a layer: forward and backward agree with oracle and rule, and every call is counted."""

from __future__ import annotations

import numpy as np
import torch

from solvers.differentiable.layer import DifferentiableOracle
from solvers.differentiable.rules.blackbox import Blackbox
from solvers.differentiable.rules.blackbox_smoothed import BlackboxSmoothed
from solvers.differentiable.rules.spo_plus import SpoPlus
from tests.solvers.differentiable.selections import Cheapest, Selection

PROBLEM = Selection.random(0)


def test_the_backward_pass_is_the_rule_and_calls_are_counted() -> None:
    layer = DifferentiableOracle(Cheapest(), Blackbox(2.0))
    costs = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    slopes = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = layer(costs, PROBLEM)
    assert layer.calls == 3
    (x * slopes).sum().backward()
    assert layer.calls == 6 and layer.inexact == 0
    moved = Cheapest().solve((costs + 2 * slopes).detach().numpy(), PROBLEM).x
    assert costs.grad is not None
    np.testing.assert_allclose(costs.grad.numpy(), (moved - x.detach().numpy()) / 2)


def test_single_costs_and_single_precision_keep_their_shape_and_type() -> None:
    costs = torch.randn(8, requires_grad=True)
    x = DifferentiableOracle(Cheapest(), Blackbox(2.0))(costs, PROBLEM)
    x.sum().backward()
    assert x.shape == (8,) and x.dtype == torch.float32 and costs.grad is not None and costs.grad.dtype == torch.float32


def test_a_network_learns_costs_whose_answers_are_right() -> None:
    torch.manual_seed(0)
    features = torch.randn(30, 8, 2)
    true = features @ torch.tensor([1.0, -2.0])
    best = torch.from_numpy(Cheapest().solve(true.double().numpy(), PROBLEM).x).float()
    model = torch.nn.Linear(2, 1)
    layer, optimizer = DifferentiableOracle(Cheapest(), SpoPlus()), torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(30):
        optimizer.zero_grad()
        (layer(model(features)[..., 0], PROBLEM) * true).sum().backward()
        optimizer.step()
    assert (layer(model(features)[..., 0], PROBLEM) == best).all(dim=1).float().mean() > 0.8


def test_noise_goes_on_where_the_state_of_the_module_was_kept() -> None:
    def gradient(layer: DifferentiableOracle) -> torch.Tensor:
        costs = torch.zeros(2, 8, dtype=torch.float64, requires_grad=True)
        (layer(costs, PROBLEM) * torch.arange(8.0)).sum().backward()
        assert costs.grad is not None
        return costs.grad

    layer, copy = (DifferentiableOracle(Cheapest(), BlackboxSmoothed(1.0), seed=3) for _ in range(2))
    first = gradient(layer)
    copy.load_state_dict(layer.state_dict())
    second = gradient(layer)
    assert not torch.equal(first, second)
    assert torch.equal(gradient(copy), second)
