"""Projectors and prototypes: which layers they have, and what a frozen or renormalised part does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.ssl.parts.dino_head import DinoHead
from models.ssl.parts.heads import Projector
from models.ssl.parts.prototypes import Prototypes
from runs.errors import ConfigError


def kinds(projector: Projector) -> list[str]:
    return [type(layer).__name__ for block in projector.blocks for layer in block]


def biases(projector: Projector) -> list[bool]:
    return [layer.bias is not None for layer in projector.modules() if isinstance(layer, nn.Linear)]


def test_vicregs_projector_has_three_maps_with_norms_between() -> None:
    projector = Projector(8, 16, 4, layers=3)
    assert kinds(projector) == ["Linear", "BatchNorm1d", "ReLU"] * 2 + ["Linear"]
    assert biases(projector) == [False, False, True]
    assert [m.out_features for m in projector.modules() if isinstance(m, nn.Linear)] == [16, 16, 4]
    assert projector.width == 4


def test_simclrs_projector_has_no_norm() -> None:
    projector = Projector(8, 16, 4, norm="none", activation="gelu")
    assert kinds(projector) == ["Linear", "GELU", "Linear"]
    assert biases(projector) == [True, True]
    assert biases(Projector(8, 16, 4, norm="none", bias=False)) == [False, False]


def test_simsiams_projector_ends_in_a_norm_without_scale_and_shift() -> None:
    projector = Projector(8, 16, 4, layers=3, last_norm="batch", last_affine=False)
    assert kinds(projector)[-2:] == ["Linear", "BatchNorm1d"]
    assert biases(projector) == [False] * 3
    assert [norm.affine for norm in projector.modules() if isinstance(norm, nn.BatchNorm1d)] == [True, True, False]
    z = projector(torch.randn(50, 8))
    torch.testing.assert_close(z.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.std(0, unbiased=False), torch.ones(4), atol=1e-3, rtol=0)


def test_a_projector_without_layers_is_the_identity() -> None:
    projector, h = Projector(8, 16, 4, layers=0), torch.randn(5, 8)
    assert projector.width == 8
    assert torch.equal(projector(h), h) and projector.outputs(h) == []


def test_every_layer_can_be_probed_and_the_last_is_z() -> None:
    projector, h = Projector(8, 16, 4, layers=3).eval(), torch.randn(5, 8)
    outputs = projector.outputs(h)
    assert [tuple(output.shape) for output in outputs] == [(5, 16), (5, 16), (5, 4)]
    assert torch.equal(outputs[-1], projector(h))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"activation": "rulu"}, "rulu.*did you mean 'relu'"),
        ({"norm": "iter"}, "norm of the projector is 'iter'"),
        ({"last_norm": "layer"}, "last_norm of the projector is 'layer'"),
        ({"layers": -1}, "layers of the projector is -1"),
        ({"hidden": 0}, "hidden of the projector is 0"),
    ],
)
def test_settings_that_make_no_projector_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Projector(**{"inputs": 8, "hidden": 16, "out": 4} | changes)


def test_dinos_logits_are_cosines_whatever_the_norm_of_the_last_layer() -> None:
    torch.manual_seed(0)
    head, h = DinoHead(8, 16, bottleneck=6, prototypes=10), torch.randn(5, 8)
    logits = head(h)
    assert logits.shape == (5, 10) and head.width == 10
    expected = nn.functional.cosine_similarity(head.perceptron(h)[:, None], head.last[None], dim=-1)
    torch.testing.assert_close(logits, expected)
    with torch.no_grad():
        head.last *= 3
    torch.testing.assert_close(head(h), logits)


def test_a_frozen_last_layer_stays_while_the_rest_of_the_head_moves() -> None:
    torch.manual_seed(0)
    head = DinoHead(8, 16, bottleneck=6, prototypes=10)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    optimizer = torch.optim.SGD(head.parameters(), lr=1.0, momentum=0.9, weight_decay=0.1)
    head(torch.randn(5, 8)).square().sum().backward()
    head.freeze_last()
    optimizer.step()
    after = head.state_dict()
    assert {name for name in before if torch.equal(before[name], after[name])} == {"last"}


def test_prototypes_keep_unit_norm_and_stand_still_when_frozen() -> None:
    torch.manual_seed(0)
    prototypes, z = Prototypes(6, 10), torch.randn(5, 6)
    expected = nn.functional.cosine_similarity(z[:, None], prototypes.weight[None], dim=-1)
    torch.testing.assert_close(prototypes(z), expected)
    optimizer = torch.optim.SGD(prototypes.parameters(), lr=1.0)
    for frozen in (True, False):
        before = prototypes.weight.detach().clone()
        optimizer.zero_grad()
        prototypes(z).square().sum().backward()
        if frozen:
            prototypes.freeze()
        optimizer.step()
        prototypes.renormalise()
        assert torch.allclose(prototypes.weight, before, atol=1e-6) == frozen
        torch.testing.assert_close(prototypes.weight.norm(dim=1), torch.ones(10))
