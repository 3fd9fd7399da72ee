"""Costs of pixels from a picture of the device: SurCo's prior on photonics (docs/papers/surco.md#3.7)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from data.photonics.problem import PhotonicProblem
from models.cost_network import CostNetwork
from runs.errors import ConfigError

PLANES = 5
"""Solid, void, designable, and the place along x and y."""


class ImageNetwork(CostNetwork):
    """Convolutions of a picture of the device, without padding: a pixel's latent is of what lies around it.

    Parameters
    ----------
    layers
        How many.
    channels
        Between layers.
    kernel
        Pixels along a side, odd.

    Raises
    ------
    ConfigError
        ``kernel`` is even, or a setting is below 1.
    """

    def __init__(self, layers: int = 3, channels: int = 32, kernel: int = 9) -> None:
        super().__init__()
        if layers < 1 or channels < 1 or kernel < 1 or kernel % 2 == 0:
            raise ConfigError(
                f"model.layers, channels and kernel are {layers}, {channels} and {kernel}; give at least 1 each, and an odd "
                "kernel, which has a middle"
            )
        self.margin = layers * (kernel // 2)
        widths = [PLANES, *[channels] * (layers - 1), 1]
        stacked = [layer for pair in pairwise(widths) for layer in (nn.Conv2d(*pair, kernel), nn.ReLU())]
        self.layers = nn.Sequential(*stacked[:-1])

    def encode(self, problem: PhotonicProblem) -> tuple[Tensor]:
        """(planes, x, y) the design and as much around it as its pixels see; outside of the device all is void.

        Places are 0 in the middle of the design and -1 and 1 at its ends. A pixel that is fixed is not designable.
        """
        box, margin = problem.box, self.margin
        solid = problem.background > (problem.void + problem.solid) / 2
        designable = np.zeros(problem.grid.shape, bool)
        designable[box.window] = True
        if problem.fixed is not None:
            designable[box.window] = problem.fixed < 0
            solid[box.window] = problem.fixed == 1
        solid &= ~designable
        seen = np.stack([np.pad(each, margin) for each in (solid, designable)])
        seen = seen[:, box.x0 : box.x1 + 2 * margin, box.y0 : box.y1 + 2 * margin]
        solid, designable = seen
        sides = [2 * (np.arange(-margin, side + margin) + 0.5) / side - 1 for side in box.shape]
        planes = [solid, ~solid & ~designable, designable, *np.meshgrid(*sides, indexing="ij")]
        return (torch.from_numpy(np.stack(planes, dtype=np.float32)),)

    def forward(self, planes: Float[Tensor, "planes x y"]) -> Float[Tensor, " latents"]:
        found: Tensor = self.layers(planes[None])
        return found.flatten()
