"""Rates of the layers of an encoder."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.encoders.resnet import ResNet
from models.encoders.vit import VisionTransformer
from runs.errors import ConfigError
from solvers.optimizers.layer_decay import layer_decay


def rates(groups: list[dict]) -> dict[int, tuple[float, float]]:
    return {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}


def test_the_rates_of_a_vit_are_powers_of_the_decay_by_depth() -> None:
    encoder, head = VisionTransformer(8, 4, 8, layers=3, heads=2), nn.Linear(8, 2)
    found = rates(layer_decay(encoder.layers(), head.parameters(), lr=1.0, decay=0.5, weight_decay=0.1))
    assert found[id(head.weight)] == (1.0, 0.1)
    assert found[id(head.bias)] == (1.0, 0.0)
    assert found[id(encoder.transformer.last_norm.weight)] == (0.5, 0.0)
    for block, rate in zip(encoder.transformer.blocks, (0.0625, 0.125, 0.25), strict=True):
        assert found[id(block.feed_forward[0].weight)] == (rate, 0.1)
        assert found[id(block.attention.project_in.bias)] == (rate, 0.0)
    assert found[id(encoder.embedding.weight)] == found[id(encoder.positions)] == (0.03125, 0.1)
    assert len(found) == len([*encoder.parameters(), *head.parameters()])


def test_an_optimiser_takes_the_groups_of_a_residual_network() -> None:
    encoder, head = ResNet([1, 1], [4, 8], [1, 2]), nn.Linear(8, 2)
    optimizer = torch.optim.AdamW(layer_decay(encoder.layers(), head.parameters(), lr=0.1, decay=0.75))
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len([*encoder.parameters(), *head.parameters()])


def test_frozen_parameters_are_left_out() -> None:
    encoder, head = ResNet([1], [4], [1]), nn.Linear(4, 2)
    head.weight.requires_grad_(False)
    found = rates(layer_decay(encoder.layers(), head.parameters(), lr=0.1, decay=1.0))
    assert id(head.weight) not in found and id(head.bias) in found


@pytest.mark.parametrize("decay", [0.0, 1.5])
def test_a_decay_outside_its_range_is_refused(decay: float) -> None:
    with pytest.raises(ConfigError, match=f"layer decay is {decay}"):
        layer_decay([], [], 0.1, decay)
