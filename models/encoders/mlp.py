"""The plain perceptron of several papers, and inputs brought to one scale."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn


def mlp(widths: Sequence[int], active: bool = False) -> nn.Sequential:
    """Linear layers of these widths, the input's first, with ReLU between them, and after the last if ``active``."""
    layers: list[nn.Module] = []
    for width, out in pairwise(widths):
        layers += [nn.Linear(width, out), nn.ReLU()]
    return nn.Sequential(*(layers if active else layers[:-1]))


class Standardize(nn.Module):
    """Inputs less their mean, over their standard deviation; the constants belong to the checkpoint.

    Parameters
    ----------
    features
        Of the last axis. Until :meth:`fit` inputs stay as they are.
    """

    EPSILON = 1e-6
    mean: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def fit(self, samples: Float[Tensor, "samples features"]) -> None:
        """Measure the constants."""
        samples = samples.double()
        self.mean.copy_(samples.mean(0))
        self.scale.copy_(samples.std(0, unbiased=False) + self.EPSILON)

    def forward(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch features"]:
        """The inputs on one scale."""
        return (x - self.mean) / self.scale
