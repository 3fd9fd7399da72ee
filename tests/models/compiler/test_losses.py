from __future__ import annotations

import pytest
import torch

from models.compiler.losses import BehaviourCloning, NormalisedValue, ValueRegression

LOGITS = torch.tensor([[0.3, -1.0, 2.0], [0.0, 0.5, 0.5]], requires_grad=True)
REWARDS = torch.tensor([[0.2, 0.1, 0.2], [-0.4, 0.0, -0.1]])


def test_normalised_values_are_a_cross_entropy_to_a_softmax() -> None:
    weights = torch.exp(REWARDS / 0.05) / torch.exp(REWARDS / 0.05).sum(1, keepdim=True)
    expected = -(weights * torch.log_softmax(LOGITS, 1)).sum(1).mean()
    assert torch.isclose(NormalisedValue(0.05)(LOGITS, REWARDS), expected)


def test_a_small_temperature_shares_the_mass_among_the_best_alone() -> None:
    logarithms = torch.log_softmax(LOGITS, 1)
    expected = -((logarithms[0, 0] + logarithms[0, 2]) / 2 + logarithms[1, 1]) / 2
    assert torch.isclose(NormalisedValue(1e-4)(LOGITS, REWARDS), expected)


def test_a_large_temperature_asks_for_equal_scores() -> None:
    assert torch.isclose(NormalisedValue(1e6)(LOGITS, REWARDS), -torch.log_softmax(LOGITS, 1).mean())


def test_cloning_takes_the_first_of_the_best() -> None:
    expected = -(torch.log_softmax(LOGITS, 1)[0, 0] + torch.log_softmax(LOGITS, 1)[1, 1]) / 2
    assert torch.isclose(BehaviourCloning()(LOGITS, REWARDS), expected)


def test_regression_is_of_the_rewards_themselves() -> None:
    assert ValueRegression()(REWARDS + 0.1, REWARDS).item() == pytest.approx(0.01)


def test_the_gradient_of_normalised_values_is_the_difference_of_distributions() -> None:
    (gradient,) = torch.autograd.grad(NormalisedValue(0.1)(LOGITS, REWARDS), LOGITS)
    assert torch.allclose(gradient, (torch.softmax(LOGITS, 1) - torch.softmax(REWARDS / 0.1, 1)) / 2, atol=1e-6)
