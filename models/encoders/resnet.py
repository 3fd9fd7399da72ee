"""Residual networks of basic or bottleneck blocks with a stem for small or large images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from runs.errors import ConfigError, nearest

Stem = Literal["cifar", "imagenet", "small"]
STEMS = ("cifar", "imagenet", "small")
EXPANSION = 4
"""Output channels of a bottleneck block over its inner ones."""


class ResNet(nn.Module):
    """Stem, stages of residual blocks, and the mean over positions: images to h.

    Parameters
    ----------
    blocks
        Number of blocks of each stage.
    widths
        Channels of each stage; inner ones for bottleneck blocks, whose outputs have four times as many. The first is also
        that of the stem.
    strides
        Of the first block of each stage.
    stem
        "cifar": 3x3, stride 1; "small": 3x3, stride 2; "imagenet": 7x7, stride 2, then a max-pool of stride 2.
    bottleneck
        Blocks of 1x1, 3x3 (with the stride) and 1x1 convolutions instead of two 3x3 ones.
    channels
        Of the images.

    Attributes
    ----------
    width
        Dimension of h.

    Raises
    ------
    ConfigError
        The stem is unknown, or the stages' lists are empty, of unequal length or not positive.

    References
    ----------
    He et al., Deep residual learning for image recognition (2016), sections 3.3 and 4.1.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        widths: Sequence[int],
        strides: Sequence[int],
        stem: Stem = "cifar",
        bottleneck: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if stem not in STEMS:
            raise ConfigError(f"stem of the residual network is '{stem}'{nearest(stem, STEMS)}")
        for name, values in (("blocks", blocks), ("widths", widths), ("strides", strides)):
            if len(values) != len(blocks) or not values or min(values) < 1:
                raise ConfigError(
                    f"{name} of the residual network is {list(values)}; give a positive number for each stage of blocks"
                )
        self.stem = _stem(stem, channels, widths[0])
        stages, width = [], widths[0]
        for number, inner, stride in zip(blocks, widths, strides, strict=True):
            stage = []
            for index in range(number):
                block = _Bottleneck if bottleneck else _Basic
                stage.append(block(width, inner, stride if index == 0 else 1))
                width = stage[-1].width
            stages.append(nn.Sequential(*stage))
        self.stages = nn.Sequential(*stages)
        self.width = width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def maps(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features rows columns"]:
        """Activations of the last stage, before the mean over positions."""
        return self.stages(self.stem(images))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        """h of each image."""
        return self.maps(images).mean((2, 3))

    def layers(self) -> list[list[nn.Parameter]]:
        """The parameters from the images to h: stem, every block."""
        parts = [self.stem, *(block for stage in self.stages.children() for block in stage.children())]
        return [list(part.parameters()) for part in parts]


def _stem(stem: Stem, channels: int, width: int) -> nn.Sequential:
    kernel, stride = (7, 2) if stem == "imagenet" else (3, 2 if stem == "small" else 1)
    layers = [nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.MaxPool2d(3, 2, 1)] if stem == "imagenet" else []))


def _convolution(width: int, out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(width, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out)]


class _Residual(nn.Module):
    """relu(branch(x) + x), where x is projected if its shape changes."""

    def __init__(self, branch: list[nn.Module], width: int, out: int, stride: int) -> None:
        super().__init__()
        self.width = out
        self.branch = nn.Sequential(*branch)
        same = stride == 1 and width == out
        self.shortcut = nn.Identity() if same else nn.Sequential(*_convolution(width, out, 1, stride))
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.branch(x) + self.shortcut(x))


class _Basic(_Residual):
    def __init__(self, width: int, inner: int, stride: int) -> None:
        branch = [*_convolution(width, inner, 3, stride), nn.ReLU(), *_convolution(inner, inner, 3)]
        super().__init__(branch, width, inner, stride)


class _Bottleneck(_Residual):
    def __init__(self, width: int, inner: int, stride: int) -> None:
        out = EXPANSION * inner
        branch = [
            *_convolution(width, inner, 1),
            nn.ReLU(),
            *_convolution(inner, inner, 3, stride),
            nn.ReLU(),
            *_convolution(inner, out, 1),
        ]
        super().__init__(branch, width, out, stride)
