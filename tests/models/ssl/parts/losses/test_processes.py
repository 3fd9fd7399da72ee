"""Every loss on two processes: value and gradient of one process; and the check itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn import functional

from models.ssl.conformance import Loss, NonConformingLoss, check_loss, check_losses
from models.ssl.parts.losses.alpha_cl import alpha_cl
from models.ssl.parts.losses.barlow import barlow_twins
from models.ssl.parts.losses.cosine import negative_cosine, regression
from models.ssl.parts.losses.dcl import dcl
from models.ssl.parts.losses.dino import dino
from models.ssl.parts.losses.frossl import frossl
from models.ssl.parts.losses.ibot import ibot_patch
from models.ssl.parts.losses.infonce import cross_view, infonce
from models.ssl.parts.losses.koleo import koleo
from models.ssl.parts.losses.latent import code_cross_entropy, smooth_l1
from models.ssl.parts.losses.mean_shift import mean_shift
from models.ssl.parts.losses.mmcr import mmcr
from models.ssl.parts.losses.msn import msn
from models.ssl.parts.losses.nt_xent import nt_xent
from models.ssl.parts.losses.paws import paws
from models.ssl.parts.losses.pixel import absolute_error, squared_error
from models.ssl.parts.losses.ressl import relational
from models.ssl.parts.losses.sigreg import sigreg
from models.ssl.parts.losses.spectral_contrastive import spectral_contrastive
from models.ssl.parts.losses.supcon import supcon
from models.ssl.parts.losses.swav import swav
from models.ssl.parts.losses.tico import tico
from models.ssl.parts.losses.vibcreg import vibcreg
from models.ssl.parts.losses.vicreg import vicreg
from models.ssl.parts.losses.w_mse import w_mse
from models.ssl.parts.state.center import Center
from models.ssl.parts.state.gather import gather, processes, rank_offset
from models.ssl.parts.state.reduce import mean_over_processes
from models.ssl.parts.state.sinkhorn import sinkhorn
from runs.errors import ConfigError
from tests.models.ssl.parts.losses.rows import rows

BATCH, WIDTH = 16, 4
A, B, C = (rows(BATCH, WIDTH, seed=seed) for seed in range(3))
FIXED = rows(6, WIDTH, seed=9)
"""Rows that every process holds alike: a memory, prototypes."""
SYMMETRIC = FIXED.T @ FIXED
LABELS = torch.tensor([0, 1, 2, 0, 1, 5, 3, 3, 2, 2, 0, 4, 1, 1, 0, 0])
SOFT_LABELS = functional.one_hot(LABELS % 3, 3).double()
MASK = rows(BATCH, 5, seed=3) > 0.5


class Prototypical(nn.Module):
    """MSN with prototypes that have a gradient of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(FIXED.clone())

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return msn(a, b, self.prototypes)


def of_masked(loss: Callable[..., Tensor]) -> Loss:
    """The masked patches of the images at hand, of which the two halves have different numbers."""

    def of(s: Tensor, t: Tensor, mask: Tensor) -> Tensor:
        center = Center(WIDTH).double()
        center.update(t[mask])
        return loss(s[mask], center(t[mask], 0.5), mask)

    return of


def swapped(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return swav([sinkhorn(x.detach(), 0.3, shared=FIXED) for x in (a, b)], [a, b, c])


CASES: dict[str, tuple[Loss, Sequence[Tensor]]] = {
    "nt_xent": (nt_xent, [A, B]),
    "dcl": (dcl, [A, B]),
    "dclw": (lambda a, b: dcl(a, b, 0.2, 0.5), [A, B]),
    "alpha_cl": (alpha_cl, [A, B]),
    "supcon, out": (supcon, [A, LABELS]),
    "supcon, in": (lambda z, y: supcon(z, y, variant="in"), [A, LABELS]),
    "infonce": (lambda q, k: infonce(q, k, FIXED), [A, B]),
    "cross_view": (cross_view, [A, B]),
    "mean_shift": (lambda p, t: mean_shift(p, t[:, None] + FIXED[:3]), [A, B]),
    "negative_cosine": (negative_cosine, [A, B]),
    "regression": (regression, [A, B]),
    "dino": (lambda a, b, c: dino([a, b, c], [b.softmax(1), c.softmax(1)]), [A, B, C]),
    "ibot_patch": (of_masked(ibot_patch), [rows(BATCH, 5, WIDTH), rows(BATCH, 5, WIDTH, seed=1), MASK]),
    "koleo": (koleo, [A]),
    "msn": (Prototypical(), [A, B]),
    "relational": (lambda z, t: relational(z, t, FIXED), [A, B]),
    "vicreg": (vicreg, [A, 2 * B]),
    "vicreg, hinge": (lambda a, b: vicreg(0.3 * a, 0.1 * b, halved=False), [A, B]),
    "vibcreg": (vibcreg, [A, 0.4 * B]),
    "barlow_twins": (barlow_twins, [A, B]),
    "w_mse": (lambda a, b: w_mse(a, b, 8), [A, B]),
    "swav": (swapped, [A, B, C]),
    "tico": (lambda a, b: tico(a, b, SYMMETRIC)[0], [A, B]),
    "tico, covariance": (lambda a, b: (mean_over_processes((a * b).mean()) * tico(a, b, SYMMETRIC)[1]).sum(), [A, B]),
    "mmcr": (lambda a, b, c: mmcr(torch.stack([a, b, c], 1)), [A, B, C]),
    "spectral_contrastive": (spectral_contrastive, [A, B]),
    "sigreg": (lambda a, b: sigreg(torch.stack([a, b]), slices=7), [A, B]),
    "frossl": (lambda a, b, c: frossl([a, b, c]), [A, B, C]),
    "squared_error": (squared_error, [A, B]),
    "absolute_error": (absolute_error, [A, B]),
    "smooth_l1": (smooth_l1, [A, B]),
    "code_cross_entropy": (code_cross_entropy, [rows(BATCH, 2, 3), LABELS[:, None].expand(BATCH, 2) % 3]),
    "paws": (lambda a, b, c, s, y: paws([a, b, c], [b, a], s, y), [A, B, C, A - B, SOFT_LABELS]),
}


def test_every_loss_is_on_two_processes_what_it_is_on_one() -> None:
    assert MASK[:8].sum() != MASK[8:].sum()
    check_losses(CASES)


def cut_gather(x: Tensor) -> Tensor:
    """Rows of all processes, of which only the own ones have a gradient: what many codes do."""
    if processes() == 1:
        return x
    parts = [torch.empty_like(x) for _ in range(processes())]
    torch.distributed.all_gather(parts, x.detach())
    parts[torch.distributed.get_rank()] = x
    return torch.cat(parts)


def cut_nt_xent(a: Tensor, b: Tensor) -> Tensor:
    own = functional.normalize(torch.cat([a, b]))
    every = cut_gather(torch.stack([a, b], 1))
    everyone = functional.normalize(torch.cat([every[:, 0], every[:, 1]]))
    logits = own @ everyone.T / 0.5
    index = rank_offset(len(a)) + torch.arange(len(a))
    left, right = index, index + len(everyone) // 2
    logits[torch.arange(len(own)), torch.cat([left, right])] = -torch.inf
    return mean_over_processes(functional.cross_entropy(logits, torch.cat([right, left])))


def cut_vicreg(a: Tensor, b: Tensor) -> Tensor:
    a, b = cut_gather(a), cut_gather(b)
    covariance = sum((z.T.cov() - torch.diag(z.T.cov().diag())).square().sum() for z in (a, b))
    return functional.mse_loss(a, b) + covariance / a.shape[1]


@pytest.mark.parametrize("loss", [cut_nt_xent, cut_vicreg])
def test_a_gather_without_gradient_has_the_right_value_and_is_found_out(loss: Loss) -> None:
    with pytest.raises(
        NonConformingLoss, match=rf"{loss.__name__}: the value is right, but the gradient of input 0 is off"
    ):
        check_loss(loss, [A, B])


def test_a_loss_of_the_own_rows_only_is_found_out_by_its_value() -> None:
    with pytest.raises(NonConformingLoss, match="process 0 of 2 returns"):
        check_loss(lambda a, b: functional.mse_loss(a, b), [A, B])


def test_parameters_of_a_loss_are_checked_too() -> None:
    class Unscaled(nn.Module):
        """Right in value and in its input's gradient, with a sum that lacks the other process's gradient."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(WIDTH))

        def forward(self, a: Tensor) -> Tensor:
            own = (a.detach() * self.weight).sum()
            return gather(a).square().sum() + (mean_over_processes(own.detach()) * processes() - own).detach() + own

    with pytest.raises(NonConformingLoss, match="gradient of parameter weight"):
        check_loss(Unscaled(), [A])


def test_all_that_fail_are_listed_and_rows_must_be_shared_evenly() -> None:
    wrong: Any = lambda a: a.sum()  # noqa: E731
    with pytest.raises(NonConformingLoss, match=r"(?s)first: .*\nsecond: "):
        check_losses({"first": (wrong, [A]), "right": (koleo, [A]), "second": (wrong, [B])})
    with pytest.raises(ConfigError, match="input 1 of mse_loss has 15 rows"):
        check_loss(functional.mse_loss, [A, B[:15]])
