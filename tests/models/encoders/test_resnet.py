"""The residual networks: sizes known from the papers, and what their parts compute."""

from __future__ import annotations

import pytest
import torch
from hydra.utils import instantiate
from torch.nn import functional

from models.encoders.resnet import ResNet
from runs.errors import ConfigError
from tests.composition import composed


def built(name: str, **changes: object) -> ResNet:
    return instantiate(composed(f"+model/encoder@model={name}").model, **changes)


def size(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "changes", "parameters", "width"),
    [
        ("resnet_small", {}, 307_360, 128),
        ("resnet18", {}, 11_168_832, 512),
        # torchvision's models have 11,689,512 and 25,557,032 parameters, 1000 classes included
        ("resnet18", {"stem": "imagenet"}, 11_689_512 - 513 * 1000, 512),
        ("resnet50", {}, 25_557_032 - 2049 * 1000, 2048),
    ],
)
def test_the_number_of_parameters_is_the_published_one(name: str, changes: dict, parameters: int, width: int) -> None:
    encoder = built(name, **changes)
    assert size(encoder) == parameters
    assert encoder.width == width


@pytest.mark.parametrize(("stem", "side"), [("cifar", 8), ("small", 4), ("imagenet", 2)])
def test_the_stem_and_the_strides_shrink_the_image(stem: str, side: int) -> None:
    encoder = ResNet([1, 1, 1], [8, 12, 16], [1, 2, 2], stem).eval()  # type: ignore[arg-type]
    images = torch.randn(2, 3, 32, 32)
    assert encoder.maps(images).shape == (2, 16, side, side)
    torch.testing.assert_close(encoder(images), encoder.maps(images).flatten(2).mean(2))


def test_a_basic_block_adds_its_branch_to_its_input() -> None:
    torch.manual_seed(0)
    block = ResNet([2], [6], [1]).eval().stages[0][1]
    x = torch.randn(3, 6, 5, 5)
    first, norm, _, second, last = block.branch
    hidden = functional.relu(norm(functional.conv2d(x, first.weight, padding=1)))
    torch.testing.assert_close(block(x), functional.relu(x + last(functional.conv2d(hidden, second.weight, padding=1))))


def test_a_bottleneck_block_has_its_stride_in_the_middle_and_four_times_the_channels() -> None:
    block = ResNet([1, 1], [4, 6], [1, 2], bottleneck=True).stages[1][0]
    convolutions = [part for part in block.branch if isinstance(part, torch.nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0]) for c in convolutions] == [
        (16, 6, 1, 1),
        (6, 6, 3, 2),
        (6, 24, 1, 1),
    ]


def test_the_layers_hold_every_parameter_once_from_the_image_on() -> None:
    encoder = built("resnet18")
    layers = encoder.layers()
    assert len(layers) == 1 + 8
    assert [id(p) for layer in layers for p in layer] == [id(p) for p in encoder.parameters()]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stem": "cifer"}, "cifer.*did you mean 'cifar'"),
        ({"widths": [8]}, r"widths.*\[8\]"),
        ({"strides": [1, 0]}, r"strides.*\[1, 0\]"),
        ({"blocks": []}, r"blocks.*\[\]"),
    ],
)
def test_stages_that_make_no_network_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ResNet(**{"blocks": [1, 1], "widths": [8, 8], "strides": [1, 1]} | changes)
