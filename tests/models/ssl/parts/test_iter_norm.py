"""Iterative whitening against an eigendecomposition and two processes."""

from __future__ import annotations

import pytest
import torch

from models.ssl.parts.heads import Projector
from models.ssl.parts.iter_norm import IterNorm, inverse_square_root
from runs.errors import ConfigError
from runs.local_processes import on_processes


def correlated(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.eye(width) + 0.2 * torch.randn(width, width, generator=generator, dtype=torch.float64)
    return 3 + torch.randn(rows, width, generator=generator, dtype=torch.float64) @ mix


def test_newtons_iterations_reach_the_inverse_square_root() -> None:
    x = correlated(200, 4)
    S = torch.cov(x.T)[None]
    values, vectors = torch.linalg.eigh(S)
    exact = vectors @ torch.diag_embed(values.rsqrt()) @ vectors.mT
    torch.testing.assert_close(inverse_square_root(S, 15), exact)
    errors = [float((inverse_square_root(S, k) - exact).norm()) for k in (1, 3, 5, 8)]
    assert errors == sorted(errors, reverse=True)


def test_groups_are_centred_and_white_and_their_order_is_kept() -> None:
    x = correlated(300, 12)
    norm = IterNorm(12, groups=3, iterations=15, eps=1e-12).double()
    z = norm(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(12, dtype=torch.float64), atol=1e-9, rtol=0)
    for group in range(3):
        own = slice(4 * group, 4 * group + 4)
        torch.testing.assert_close(
            torch.cov(z[:, own].T, correction=0), torch.eye(4, dtype=torch.float64), atol=1e-6, rtol=0
        )
        alone = IterNorm(4, groups=1, iterations=15, eps=1e-12).double()
        torch.testing.assert_close(alone(x[:, own]), z[:, own])


def test_groups_of_one_feature_are_a_batch_norm() -> None:
    x = correlated(100, 6)
    expected = torch.nn.functional.batch_norm(x, None, None, training=True, eps=1e-5)
    torch.testing.assert_close(IterNorm(6, groups=6).double()(x), expected, rtol=1e-4, atol=1e-6)


def test_evaluation_uses_the_moving_averages() -> None:
    x, norm = correlated(100, 6), IterNorm(6, groups=2, momentum=1.0).double()
    z = norm(x)
    torch.testing.assert_close(norm.eval()(x), z)
    torch.testing.assert_close(norm(x[:1]), z[:1])


def test_the_gradient_is_that_of_finite_differences() -> None:
    norm = IterNorm(4, groups=2, affine=False).double()
    assert torch.autograd.gradcheck(norm, correlated(7, 4).requires_grad_())


def test_vibcregs_projector_ends_in_it() -> None:
    projector = Projector(8, 16, 12, layers=3, activation="gelu", last_norm="iter", groups=3)
    assert isinstance(projector.blocks[-1][-1], IterNorm)
    assert projector.blocks[-1][0].bias is None


def value_and_gradient(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.clone().requires_grad_()
    norm = IterNorm(6, groups=2).double()
    z = norm(x)
    (z * torch.arange(6) + z**3).sum().backward()
    return z.detach(), x.grad


def share(rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    return value_and_gradient(correlated(24, 6)[12 * rank : 12 * rank + 12])


def test_two_processes_whiten_as_one() -> None:
    parts = on_processes(share)
    for ours, whole in zip(
        map(torch.cat, zip(*parts, strict=True)), value_and_gradient(correlated(24, 6)), strict=True
    ):
        torch.testing.assert_close(ours, whole, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("options", "words"), [({"groups": 5}, "groups.* 5"), ({"iterations": 0}, "iterations.* 0")])
def test_settings_that_make_no_norm_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        IterNorm(12, **{"groups": 3} | options)
