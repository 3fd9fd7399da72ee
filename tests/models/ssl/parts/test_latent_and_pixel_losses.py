"""Losses of hidden patches against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.ssl.parts.losses.latent import code_cross_entropy, layer_normed, mean_of_blocks, smooth_l1
from models.ssl.parts.losses.pixel import absolute_error, normalised_patches, squared_error
from runs.local_processes import on_processes


def test_patches_are_normalised_with_the_unbiased_variance() -> None:
    patches = torch.tensor([[[1.0, 2.0, 3.0, 6.0]]], dtype=torch.float64)
    expected = (patches - 3) / (14 / 3 + 1e-6) ** 0.5
    torch.testing.assert_close(normalised_patches(patches), expected)
    assert torch.equal(normalised_patches(torch.full((1, 1, 4), 5.0)), torch.zeros(1, 1, 4)), "a plain patch is finite"


def test_errors_are_means_over_patches_and_pixels() -> None:
    predicted, target = torch.tensor([[[1.0, -2.0], [0.0, 0.5]]]), torch.zeros(1, 2, 2)
    assert squared_error(predicted, target).item() == pytest.approx((1 + 4 + 0.25) / 4)
    assert absolute_error(predicted, target).item() == pytest.approx(3.5 / 4)


@pytest.mark.parametrize(("difference", "value"), [(0.5, 0.5**2 / 4), (2.0, 1.0), (5.0, 4.0)])
def test_smooth_l1_is_quadratic_below_beta_and_linear_above(difference: float, value: float) -> None:
    assert smooth_l1(torch.tensor([difference]), torch.zeros(1), beta=2.0).item() == pytest.approx(value)


def test_blocks_are_standardised_over_the_tokens_of_each_image_before_their_mean() -> None:
    torch.manual_seed(0)
    blocks = [scale * torch.randn(2, 9, 4, dtype=torch.float64) + scale for scale in (1, 100)]
    expected = (
        sum((b - b.mean(1, keepdim=True)) / (b.var(1, correction=0, keepdim=True) + 1e-5).sqrt() for b in blocks) / 2
    )
    torch.testing.assert_close(mean_of_blocks(blocks), expected)


def test_tokens_are_normed_over_their_features() -> None:
    tokens = 3 + 5 * torch.randn(2, 9, 64, dtype=torch.float64)
    normed = layer_normed(tokens)
    torch.testing.assert_close(normed.mean(-1), torch.zeros(2, 9, dtype=torch.float64))
    torch.testing.assert_close(normed.std(-1, correction=0), torch.ones(2, 9, dtype=torch.float64), rtol=1e-5, atol=0)


def test_the_cross_entropy_of_certain_and_of_unknowing_predictions_is_known() -> None:
    codes = torch.tensor([[0, 3]])
    assert code_cross_entropy(torch.zeros(1, 2, 4), codes).item() == pytest.approx(torch.tensor(4.0).log().item())
    certain = 100 * nn.functional.one_hot(codes, 4).float()
    assert code_cross_entropy(certain, codes).item() == pytest.approx(0, abs=1e-6)


def test_half_precision_is_widened() -> None:
    half = torch.full((1, 1, 4), 300.0, dtype=torch.float16)
    assert squared_error(half, -half).item() == 360_000  # beyond the largest number of float16


def values(rank: int | None) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    predicted, target = torch.randn(2, 6, 3, 5, generator=generator, dtype=torch.float64)
    codes = torch.randint(5, (6, 3), generator=generator)
    own = slice(None) if rank is None else slice(rank, None, 2)
    predicted = predicted[own].requires_grad_()
    losses = [loss(predicted, target[own]) for loss in (squared_error, absolute_error, smooth_l1)]
    losses.append(code_cross_entropy(predicted, codes[own]))
    gradients = [torch.autograd.grad(loss, predicted)[0] for loss in losses]
    return [torch.stack([loss.detach() for loss in losses]), torch.stack(gradients)]


def test_two_processes_equal_one_in_value_and_gradient() -> None:
    (first, first_gradient), (second, second_gradient) = on_processes(values)
    whole, gradient = values(None)
    torch.testing.assert_close(first, whole)
    torch.testing.assert_close(second, whole)
    torch.testing.assert_close(first_gradient / 2, gradient[:, 0::2])  # DDP takes the mean over the processes
    torch.testing.assert_close(second_gradient / 2, gradient[:, 1::2])
