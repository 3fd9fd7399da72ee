"""Values and gradients of ``reference_losses.npz``, which lightly 1.6.0 computed in double precision."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.ssl.parts.losses.barlow import barlow_twins
from models.ssl.parts.losses.cosine import negative_cosine
from models.ssl.parts.losses.dcl import dcl
from models.ssl.parts.losses.dino import dino
from models.ssl.parts.losses.ibot import ibot_patch
from models.ssl.parts.losses.koleo import koleo
from models.ssl.parts.losses.mmcr import mmcr
from models.ssl.parts.losses.msn import msn
from models.ssl.parts.losses.nt_xent import nt_xent
from models.ssl.parts.losses.swav import swav
from models.ssl.parts.losses.tico import tico
from models.ssl.parts.losses.vicreg import vicreg
from models.ssl.parts.state.center import Center
from models.ssl.parts.state.sinkhorn import sinkhorn

FILE = Path(os.environ.get("REPRISE_DATA", "")) / "ssl" / "reference_losses.npz"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="REPRISE_DATA names no folder with ssl/reference_losses.npz")


def swav_of(logits: list[Tensor]) -> Tensor:
    return swav([sinkhorn(x, 0.05, 3) for x in logits[:2]], logits, 0.1)


def tico_of(a: Tensor, b: Tensor) -> Tensor:
    return tico(a, b, torch.zeros(a.shape[1], a.shape[1], dtype=a.dtype))[0]


CASES: dict[str, tuple[Callable[..., Tensor], str]] = {
    "nt_xent_T0.1": (lambda a, b: nt_xent(a, b, 0.1), "a b"),
    "nt_xent_T0.5": (lambda a, b: nt_xent(a, b, 0.5), "a b"),
    "dcl_T0.1": (lambda a, b: dcl(a, b, 0.1), "a b"),
    "dcl_T0.5": (lambda a, b: dcl(a, b, 0.5), "a b"),
    "dclw_T0.1_s0.5": (lambda a, b: dcl(a, b, 0.1, 0.5), "a b"),
    "vicreg_25_25_1": (lambda a, b: vicreg(a, b), "a b"),
    "vicreg_10_20_3": (lambda a, b: vicreg(a, b, 10, 20, 3), "a b"),
    "barlow_twins_0.005": (lambda a, b: barlow_twins(a, b, 0.005), "a b"),
    "negative_cosine": (negative_cosine, "a b"),
    "koleo": (koleo, "a"),
    "tico_first_step": (tico_of, "a b"),
    "mmcr_0.005": (lambda a, b: mmcr(torch.cat([a, b], 1), 0.005), "a b"),
    "swav_2views": (lambda *logits: swav_of([*logits]), "logits_a logits_b"),
    "swav_2plus1": (lambda *logits: swav_of([*logits]), "logits_a logits_b logits_low"),
}


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(FILE) as file:
        return {name: file[name] for name in file.files}


def leaves(reference: dict[str, np.ndarray], names: str) -> list[Tensor]:
    return [torch.tensor(reference[name], dtype=torch.float64, requires_grad=True) for name in names.split()]


def agrees(reference: dict[str, np.ndarray], name: str, loss: Tensor, inputs: list[Tensor], tolerance: float) -> None:
    """Loss and gradients, relative to the largest entry."""
    expected: dict[str, Any] = json.loads(str(reference["meta"]))["values"][name]
    assert float(loss.detach()) == pytest.approx(expected["loss"], rel=tolerance)
    for index, gradient in enumerate(torch.autograd.grad(loss, inputs)):
        theirs = torch.tensor(reference[f"{name}/grad{index}"], dtype=torch.float64).view_as(gradient)
        scale = float(theirs.abs().max())
        torch.testing.assert_close(gradient, theirs, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("name", CASES)
def test_losses_have_the_reference_value_and_gradient(reference: dict[str, np.ndarray], name: str) -> None:
    loss, names = CASES[name]
    inputs = leaves(reference, names)
    if name == "mmcr_0.005":
        inputs = [x.detach().view(8, 3, 12).requires_grad_() for x in inputs]
    agrees(reference, name, loss(*inputs), inputs, 1e-6 if name == "tico_first_step" else 1e-8)


def test_two_steps_of_dino_carry_the_centre_over(reference: dict[str, np.ndarray]) -> None:
    s0, s1, t0, t1 = leaves(reference, "dino_s0 dino_s1 dino_t0 dino_t1")
    center = Center(12, 0.9).double()

    first = dino([s0, s1], [center(t, 0.04) for t in (t0, t1)], 0.1)
    center.update(torch.stack([t0, t1]))
    second = dino([s0, s1, s0], [center(t, 0.07) for t in (t1, t0)], 0.1)

    agrees(reference, "dino_step1_epoch0", first, [s0, s1], 1e-8)
    agrees(reference, "dino_step2_epoch9", second, [s0, s1], 1e-8)


def test_masked_anchors_are_assigned_as_msn_does(reference: dict[str, np.ndarray]) -> None:
    a, b, base, prototypes = leaves(reference, "a b base msn_prototypes")
    anchors = torch.cat([a, b]).detach().requires_grad_()
    agrees(reference, "msn", msn(anchors, base, prototypes), [anchors, prototypes], 1e-8)


def test_masked_patches_are_weighted_as_ibot_does(reference: dict[str, np.ndarray]) -> None:
    s, t = leaves(reference, "ibot_s ibot_t")
    probabilities = Center(12).double()(t, 0.04)
    loss = ibot_patch(s, probabilities, torch.tensor(reference["ibot_mask"]), 0.1)
    agrees(reference, "ibot_patch_step1", loss, [s], 1e-6)
