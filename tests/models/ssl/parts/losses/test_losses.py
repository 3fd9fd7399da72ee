"""Losses against slow loops and closed forms, their invariances, half precision, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from models.ssl.parts.losses.alpha_cl import alpha_cl
from models.ssl.parts.losses.barlow import barlow_twins
from models.ssl.parts.losses.cosine import negative_cosine, regression
from models.ssl.parts.losses.dcl import dcl
from models.ssl.parts.losses.dino import dino
from models.ssl.parts.losses.frobenius import product_moments
from models.ssl.parts.losses.frossl import frossl
from models.ssl.parts.losses.ibot import ibot_patch
from models.ssl.parts.losses.infonce import cross_view, infonce
from models.ssl.parts.losses.koleo import koleo
from models.ssl.parts.losses.mean_shift import mean_shift
from models.ssl.parts.losses.mmcr import mmcr, nuclear_norms
from models.ssl.parts.losses.msn import msn
from models.ssl.parts.losses.nt_xent import nt_xent
from models.ssl.parts.losses.paws import paws
from models.ssl.parts.losses.ressl import relational
from models.ssl.parts.losses.sigreg import sigreg
from models.ssl.parts.losses.spectral_contrastive import spectral_contrastive
from models.ssl.parts.losses.supcon import supcon
from models.ssl.parts.losses.swav import swav
from models.ssl.parts.losses.tico import tico
from models.ssl.parts.losses.vibcreg import vibcreg
from models.ssl.parts.losses.vicreg import vicreg, vicreg_terms
from models.ssl.parts.losses.w_mse import w_mse, whiten
from runs.errors import ConfigError
from tests.models.ssl.parts.losses.rows import rows

A, B, C, Q = rows(8, 3), rows(8, 3, seed=1), rows(8, 3, seed=2), rows(5, 3, seed=3).bfloat16().double()
SEEDS = st.integers(0, 10_000)


def cos(x: Tensor, y: Tensor) -> Tensor:
    return functional.cosine_similarity(x, y, dim=0)


def same(loss: Tensor, expected: Tensor | float) -> None:
    assert float(loss) == pytest.approx(float(expected), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("variant", ["in", "out"])
def test_supcon_is_the_double_loop_and_skips_rows_that_are_alone(variant: Any) -> None:
    labels, T = torch.tensor([0, 1, 0, 2, 1, 0, 3, 1]), 0.3
    terms = []
    for i in range(8):
        logits = {j: cos(A[i], A[j]) / T for j in range(8) if j != i}
        q = {j: (s - torch.stack([*logits.values()]).logsumexp(0)).exp() for j, s in logits.items()}
        positives = (
            torch.stack([q[j] for j in q if labels[j] == labels[i]]) if (labels == labels[i]).sum() > 1 else None
        )
        if positives is not None:
            terms.append(-positives.mean().log() if variant == "in" else -positives.log().mean())
    assert len(terms) == 6

    same(supcon(A, labels, T, variant), torch.stack(terms).mean())


def test_supcon_of_one_class_per_image_is_nt_xent() -> None:
    labels = torch.arange(8).repeat(2)
    for variant in ("in", "out"):
        same(supcon(torch.cat([A, B]), labels, 0.2, variant), nt_xent(A, B, 0.2))


def test_supcon_without_any_positive_is_zero_with_a_gradient_of_zero() -> None:
    z = A.clone().requires_grad_()
    loss = supcon(z, torch.arange(8), variant="in")
    loss.backward()
    same(loss.detach(), 0.0)
    assert z.grad is not None and not z.grad.any()


def test_infonce_is_the_cross_entropy_of_its_logits() -> None:
    terms = []
    for p, k in zip(A, B, strict=True):
        logits = torch.stack([cos(p, k)] + [cos(p, q) for q in Q]) / 0.2
        terms.append(-logits.log_softmax(0)[0])
    same(infonce(A, B, Q, 0.2), torch.stack(terms).mean())


def test_cross_view_has_its_positives_on_the_diagonal() -> None:
    logits = torch.stack([torch.stack([cos(p, k) for k in B]) for p in A]) / 0.2
    same(cross_view(A, B, 0.2), -logits.log_softmax(1).diagonal().mean())


def test_mean_shift_is_the_mean_of_squared_distances_to_the_neighbours() -> None:
    neighbours = torch.stack([A + B, B, C], 1)
    terms = [2 - 2 * cos(p, u) for p, near in zip(A, neighbours, strict=True) for u in near]
    same(mean_shift(A, neighbours), torch.stack(terms).mean())


def test_regression_is_the_squared_distance_of_unit_rows() -> None:
    expected = (functional.normalize(A) - functional.normalize(B)).square().sum(1).mean()
    same(regression(A, B), expected)
    same(negative_cosine(A, B), expected / 2 - 1)


def test_relational_compares_similarities_to_the_memory() -> None:
    terms = []
    for z, t in zip(A, B, strict=True):
        target = torch.stack([cos(t, q) / 0.04 for q in Q]).softmax(0)
        terms.append(-(target * torch.stack([cos(z, q) / 0.1 for q in Q]).log_softmax(0)).sum())
    same(relational(A, B, Q), torch.stack(terms).mean())


def test_the_target_of_relational_has_no_gradient() -> None:
    t = B.clone().requires_grad_()
    assert torch.autograd.grad(relational(A.clone().requires_grad_(), t, Q), t, allow_unused=True) == (None,)


@pytest.mark.parametrize("power", [1.0, 2.0, 4.0])
def test_alpha_cl_is_the_weighted_double_loop(power: float) -> None:
    z, T, terms = torch.stack([A, B], 1).flatten(0, 1), 0.5, []
    for i in range(16):
        others = [j for j in range(16) if j // 2 != i // 2]
        s = torch.stack([cos(z[i], z[j]) for j in others])
        w = (-((1 - s) ** (power / 2)) / T).softmax(0)
        terms.append((w * (s - cos(z[i], z[i ^ 1]))).sum())
    same(alpha_cl(A, B, T, power), torch.stack(terms).mean())


@settings(max_examples=15)
@given(T=st.floats(0.05, 3.0), seed=SEEDS, batch=st.integers(2, 9))
def test_alpha_cl_of_power_two_has_temperature_times_the_gradient_of_dcl(T: float, seed: int, batch: int) -> None:
    views = [rows(batch, 4, seed=seed + k).requires_grad_() for k in range(2)]
    weighted = torch.autograd.grad(alpha_cl(*views, T, 2.0), views)
    decoupled = torch.autograd.grad(dcl(*views, T), views)
    for ours, theirs in zip(weighted, decoupled, strict=True):
        torch.testing.assert_close(ours, T * theirs, rtol=1e-10, atol=1e-13)


def test_alpha_cl_of_equal_rows_is_finite() -> None:
    z = torch.ones(4, 3).requires_grad_()
    alpha_cl(z, z, power=1.0).backward()
    assert z.grad is not None and torch.isfinite(z.grad).all()


def test_vibcreg_takes_the_mean_square_of_the_correlations() -> None:
    expected = functional.mse_loss(A, B)
    for z in (A, B):
        correlation = torch.corrcoef(z.T)
        hinge = functional.relu(1 - (z.var(0) + 1e-4).sqrt()).mean()
        expected = (
            expected + 2 * hinge + 3 * sum(correlation[i, j] ** 2 for i in range(3) for j in range(3) if i != j) / 9
        )
    same(vibcreg(A, B, 1, 2, 3), expected)


def test_the_terms_of_vicreg_are_those_of_its_covariance_matrix() -> None:
    invariance, variance, covariance = vicreg_terms(0.3 * A, B)
    same(invariance, (0.3 * A - B).square().mean())
    matrices = [z.T.cov() for z in (0.3 * A, B)]
    same(variance, sum(functional.relu(1 - (m.diag() + 1e-4).sqrt()).mean() for m in matrices))
    same(covariance, sum((m - m.diag().diag()).square().sum() / 3 for m in matrices))
    same(vicreg(0.3 * A, B, 1, 2, 3, halved=False), invariance + 2 * variance + 3 * covariance)
    same(vicreg(0.3 * A, B, 1, 2, 3), invariance + variance + 3 * covariance)


def test_a_collapsed_view_pays_the_whole_hinge() -> None:
    same(vicreg(torch.ones(8, 3).double(), torch.ones(8, 3).double()), 25 * (1 - 0.01))


def test_barlow_twins_of_decorrelated_equal_views_is_nothing() -> None:
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]).double()
    assert float(barlow_twins(z, z)) < 1e-9
    same(barlow_twins(A, B, 0.1, 0.5), barlow_twins(A, B, 0.1) / 2)


def test_whitened_rows_have_mean_zero_and_the_identity_as_covariance() -> None:
    w = whiten(rows(2, 12, 3) @ rows(3, 3, seed=1) + 5)
    for group in w:
        torch.testing.assert_close(group.T.cov(), torch.eye(3, dtype=torch.float64))
        torch.testing.assert_close(group.mean(0), torch.zeros(3, dtype=torch.float64))


def test_w_mse_whitens_the_same_sub_batches_of_both_views() -> None:
    a, b, order = rows(12, 2), rows(12, 2, seed=1), torch.randperm(12, generator=torch.Generator().manual_seed(2))
    expected = torch.stack([regression(whiten(a[part]), whiten(b[part])) for part in order.chunk(3)]).mean()

    same(w_mse(a, b, 4, order), expected)
    torch.manual_seed(3)
    drawn = w_mse(a, b, 4)
    torch.manual_seed(3)
    same(drawn, w_mse(a, b, 4, torch.randperm(12)))
    assert torch.autograd.gradcheck(lambda z: w_mse(z, b, 4, order), [a.clone().requires_grad_()])


def test_tico_moves_its_covariance_and_charges_rows_along_it() -> None:
    start, z = rows(4, 3, seed=4).T.cov(), A.clone().requires_grad_()
    a, b = functional.normalize(z), functional.normalize(B)

    loss, updated = tico(z, 2 * B, start, 0.8, 5.0)

    torch.testing.assert_close(updated, 0.8 * start + 0.2 * (a.T @ a).detach() / 8)
    assert not updated.requires_grad
    expected = 1 - (a * b).sum(1).mean() + 5 * sum(x @ updated @ x for x in a) / 8
    same(loss.detach(), expected.detach())
    torch.testing.assert_close(torch.autograd.grad(loss, z), torch.autograd.grad(expected, z))


def test_spectral_contrastive_is_the_double_loop() -> None:
    squares = sum((A[i] @ B[j]) ** 2 for i in range(8) for j in range(8) if i != j)
    same(spectral_contrastive(A, B), -2 * (A * B).sum(1).mean() + squares / 56)


def test_sigreg_is_the_integral_of_the_distance_of_characteristic_functions() -> None:
    u, t = functional.normalize(rows(3, 4, seed=5), dim=0), torch.linspace(-3, 3, 33).double()
    statistics = []
    for z in (A, B):
        for k in range(4):
            empirical = (1j * t[:, None] * (z @ u[:, k])).exp().mean(1)
            distance = (empirical - (-t.square() / 2).exp()).abs().square() * (-t.square() / 2).exp()
            statistics.append(8 * torch.trapezoid(distance, t))
    same(sigreg(torch.stack([A, B]), directions=u), torch.stack(statistics).mean())


def test_sigreg_prefers_the_standard_normal() -> None:
    normal = rows(512, 3)
    at = [float(sigreg(x, directions=torch.eye(3).double())) for x in (normal, 2 * normal, normal + 1, 0 * normal)]
    assert at[0] == min(at) and at[0] < 0.1 * min(at[1:])


def test_frossl_is_entropy_and_distance_to_the_mean_view() -> None:
    views = [functional.normalize(z, dim=0) for z in (A, B, C)]
    mean, expected = sum(views) / 3, torch.zeros(()).double()
    for z in views:
        expected += (z.T @ z / 3).square().sum().log() + 2.0 * 3 / 8 * 8 * 3 * (z - mean).square().mean()
    same(frossl([A, B, C], 2.0), expected)


@pytest.mark.parametrize("shape", [(5, 2, 9), (5, 9, 2), (5, 3, 3), (1, 1, 4)])
@pytest.mark.parametrize("apart", [1.0, 1e-3])
def test_nuclear_norms_of_small_matrices_are_those_of_their_singular_values(
    shape: tuple[int, int, int], apart: float
) -> None:
    rows = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = (rows[:, :1] + apart * rows).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()

    norms, expected = nuclear_norms(ours), torch.linalg.matrix_norm(theirs, "nuc")

    torch.testing.assert_close(norms, expected, rtol=1e-10, atol=0)
    norms.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-6)


def test_the_nuclear_norm_of_equal_views_has_a_finite_gradient() -> None:
    views = torch.ones(3, 2, 4).requires_grad_()
    nuclear_norms(views).sum().backward()
    torch.testing.assert_close(views.grad, views.detach() / 8**0.5)


def test_paws_is_the_cross_entropy_to_the_other_views_sharpened_classes() -> None:
    labels = functional.one_hot(torch.tensor([0, 1, 1, 0, 1]), 2).double()

    def predict(z: Tensor) -> Tensor:
        return torch.stack([torch.stack([cos(x, q) / 0.1 for q in Q]).softmax(0) @ labels for x in z])

    def sharp(p: Tensor) -> Tensor:
        return p**4 / (p**4).sum(1, keepdim=True)

    a, b, c = map(predict, (A, B, C))
    targets = [sharp(b), sharp(a), (sharp(a) + sharp(b)) / 2]
    cross_entropy = torch.stack([-(t * p.log()).sum(1).mean() for t, p in zip(targets, (a, b, c), strict=True)]).mean()
    mean = torch.cat([sharp(a), sharp(b), sharp(c)]).mean(0)
    same(paws([A, B, C], [A, B], Q, labels, entropy_weight=0.5), cross_entropy + 0.5 * (mean * mean.log()).sum())


def test_paws_with_a_class_nobody_has_is_finite() -> None:
    labels = functional.one_hot(torch.tensor([0, 1, 1, 0, 1]), 4).float()
    a = A.float().requires_grad_()
    paws([a, B.float()], [a, B.float()], Q.float(), labels).backward()
    assert a.grad is not None and torch.isfinite(a.grad).all() and a.grad.any()


def test_a_view_is_not_compared_with_its_own_target() -> None:
    p = rows(8, 3, seed=7).softmax(1)
    same(dino([A, B], [p]), swav([p], [A, B]))
    same(dino([A, B], [p], 0.1), -(p * (B / 0.1).log_softmax(1)).sum(1).mean())


def test_an_image_without_masked_patches_counts_as_zero() -> None:
    mask = torch.tensor([[True, True], [False, False]])
    s, p = rows(2, 3), rows(2, 3, seed=1).softmax(1)
    same(ibot_patch(s, p, mask), -(p * (s / 0.1).log_softmax(1)).sum() / 2 / 2)


@pytest.mark.parametrize("shape", [(9, 3), (3, 9), (4, 7)])
def test_moments_of_a_product_are_right_from_either_side(shape: tuple[int, int]) -> None:
    a, b = rows(*shape).requires_grad_(), rows(*shape, seed=1).requires_grad_()
    product = (a.T @ b).detach()

    moments = product_moments(a, b)

    same(moments.squares.detach(), product.square().sum())
    same(moments.off_diagonal.detach(), (product - product.diag().diag()).square().sum())
    torch.testing.assert_close(moments.diagonal.detach(), product.diag())
    assert torch.autograd.gradcheck(product_moments, [a, b])
    assert torch.autograd.gradcheck(lambda x: product_moments(x, x), [a])


PAIRS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "nt_xent": nt_xent,
    "dcl": dcl,
    "dclw": lambda a, b: dcl(a, b, 0.2, 0.5),
    "alpha_cl": alpha_cl,
    "negative_cosine": negative_cosine,
    "cross_view": cross_view,
    "relational": lambda a, b: relational(a, b, Q.to(a.dtype)),
    "infonce": lambda a, b: infonce(a, b, Q.to(a.dtype)),
    "vicreg": vicreg,
    "vibcreg": vibcreg,
    "barlow_twins": barlow_twins,
    "tico": lambda a, b: tico(a, b, torch.eye(3, dtype=a.dtype))[0],
    "mmcr": lambda a, b: mmcr(torch.stack([a, b], 1)),
    "koleo": lambda a, b: koleo(a) + koleo(b),
    "spectral_contrastive": spectral_contrastive,
    "sigreg": lambda a, b: sigreg(torch.stack([a, b]), directions=Q[:3].to(a.dtype)),
    "frossl": lambda a, b: frossl([a, b]),
    "msn": lambda a, b: msn(a, b, Q.to(a.dtype)),
    "swav": lambda a, b: swav([a.detach().abs(), b.detach().abs()], [a, b]),
    "supcon": lambda a, b: supcon(torch.cat([a, b]), torch.arange(len(a)).repeat(2)),
}
OF_DIRECTION = (
    "nt_xent",
    "dcl",
    "dclw",
    "alpha_cl",
    "negative_cosine",
    "cross_view",
    "relational",
    "infonce",
    "tico",
    "msn",
)
SYMMETRIC = (
    "nt_xent",
    "dcl",
    "dclw",
    "alpha_cl",
    "negative_cosine",
    "vicreg",
    "vibcreg",
    "barlow_twins",
    "mmcr",
    "frossl",
)


WITHOUT_CUT = tuple(name for name in PAIRS if name not in ("dclw", "alpha_cl", "relational", "tico", "msn", "swav"))
"""Losses no part of which is without gradient."""


@pytest.mark.parametrize("name", WITHOUT_CUT)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    views = [(0.3 * x[:5]).requires_grad_() for x in (A, B)]
    assert torch.autograd.gradcheck(PAIRS[name], views)


@pytest.mark.parametrize("name", PAIRS)
def test_the_order_of_images_does_not_matter(name: str) -> None:
    order = torch.tensor([3, 1, 7, 0, 5, 4, 2, 6])
    same(PAIRS[name](A[order], B[order]), PAIRS[name](A, B))


@pytest.mark.parametrize("name", OF_DIRECTION)
def test_the_length_of_rows_does_not_matter(name: str) -> None:
    lengths = rows(8, 1, seed=6).exp()
    same(PAIRS[name](lengths * A, B / lengths), PAIRS[name](A, B))


@pytest.mark.parametrize("name", SYMMETRIC)
def test_the_views_can_be_exchanged(name: str) -> None:
    same(PAIRS[name](B, A), PAIRS[name](A, B))


@pytest.mark.parametrize("name", PAIRS)
def test_half_precision_under_autocast_is_computed_in_single(name: str) -> None:
    half = [x.bfloat16().requires_grad_() for x in (A, B)]
    single = [x.detach().float().requires_grad_() for x in half]

    with torch.autocast("cpu", torch.bfloat16):
        loss = PAIRS[name](*half)
    loss.backward()
    expected = PAIRS[name](*single)
    expected.backward()

    assert loss.dtype == torch.float32 and torch.equal(loss, expected)
    assert half[0].grad is not None and single[0].grad is not None
    assert torch.equal(half[0].grad, single[0].grad.bfloat16())


@pytest.mark.parametrize("name", PAIRS)
def test_embeddings_of_a_large_scale_have_finite_losses_and_gradients(name: str) -> None:
    a, b = (1e3 * x.float() for x in (A, B))
    a.requires_grad_()
    loss = PAIRS[name](a, b)
    loss.backward()
    assert torch.isfinite(loss) and a.grad is not None and torch.isfinite(a.grad).all()


ONE = rows(1, 3)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: nt_xent(A, B, 0.0), "temperature of nt_xent is 0"),
        (lambda: nt_xent(A, B, math.nan), "temperature of nt_xent is nan"),
        (lambda: nt_xent(ONE, ONE), "batch of 1 is too small for nt_xent"),
        (lambda: nt_xent(A, B[:4]), r"views of nt_xent have shapes \(8, 3\), \(4, 3\)"),
        (lambda: dcl(A, B, 0.1, 0.0), "sigma of dcl is 0"),
        (lambda: dcl(ONE, ONE), "too small for dcl"),
        (lambda: alpha_cl(A, B, power=0), "power of alpha_cl is 0"),
        (lambda: supcon(A, torch.arange(7)), "7 labels for 8 rows"),
        (lambda: supcon(A, torch.arange(8), variant="mid"), "choose in or out"),
        (lambda: infonce(A, B, Q, -1.0), "temperature of infonce is -1"),
        (lambda: cross_view(ONE, ONE), "too small for cross_view"),
        (lambda: mean_shift(A, B), r"\(batch, k, width\)"),
        (lambda: negative_cosine(A, B[:, :2]), "shapes"),
        (lambda: dino([A], [A]), "1 views and 1 targets"),
        (lambda: dino([A, B], [A[:, :2]]), "shapes"),
        (lambda: swav([A], [A, B], 0.0), "temperature of swav is 0"),
        (lambda: ibot_patch(A, B, torch.ones(2, 3, dtype=torch.bool)), "6 masked patches"),
        (lambda: koleo(ONE), "too small for koleo"),
        (lambda: msn(A, B[:3], Q), "8 anchors for 3 targets"),
        (lambda: vicreg(ONE, ONE), "too small for vicreg"),
        (lambda: vibcreg(A, B[:7]), "shapes"),
        (lambda: barlow_twins(ONE, ONE), "too small for barlow_twins"),
        (lambda: w_mse(A, B, 4), "sub_batch of w_mse is 4; whitening D = 3 is stable from 2 D = 6"),
        (lambda: w_mse(A, B, 6), "must divide the batch of all processes, 8"),
        (lambda: whiten(A[:3]), "more rows than dimensions"),
        (lambda: mmcr(A[:, None]), "1 view"),
        (lambda: sigreg(A, knots=1), "knots of sigreg is 1"),
        (lambda: sigreg(A, slices=0), "slices of sigreg is 0"),
        (lambda: frossl([A]), "1 view"),
        (lambda: paws([A], [A], Q, Q), "1 anchor and 1 target"),
        (lambda: paws([A, B], [A, B], Q, Q[:2]), "2 labels for a support of 5"),
    ],
)
def test_bad_input_is_refused_by_name_and_value(act: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        act()
