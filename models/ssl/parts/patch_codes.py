"""Discrete codes of patches by k-means, learned batch by batch: the tokenizer of the beit-like recipe."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.ssl.parts.state.gather import gather
from models.ssl.parts.state.reduce import sum_over_processes
from runs.errors import ConfigError


class PatchCodes(nn.Module):
    """The nearest of K centres of patches' pixels. The centres are the same on every process and part of the checkpoint.

    Parameters
    ----------
    pixels
        Numbers of a patch.
    number
        K.

    Raises
    ------
    ConfigError
        ``number`` is below 2, or the first batch has fewer patches.

    References
    ----------
    Sculley, Web-scale k-means clustering (2010), algorithm 1.
    """

    centers: Tensor
    counts: Tensor
    started: Tensor

    def __init__(self, pixels: int, number: int) -> None:
        super().__init__()
        if number < 2:
            raise ConfigError(f"codes is {number}; give at least 2")
        self.register_buffer("centers", torch.zeros(number, pixels))
        self.register_buffer("counts", torch.zeros(number))
        self.register_buffer("started", torch.tensor(False))

    @torch.no_grad()
    def forward(self, patches: Float[Tensor, "rows patches pixels"]) -> Int[Tensor, "rows patches"]:
        """The nearest centre of each patch; the first call of all makes some of its patches the centres."""
        if not self.started:
            self._start(patches)
        flat = patches.flatten(0, 1).to(self.centers.dtype)
        # |x - c|^2 without |x|^2, which is the same for all centres
        distance = self.centers.square().sum(1) - 2 * flat @ self.centers.T
        return distance.argmin(1).view(patches.shape[:2])

    @torch.no_grad()
    def update(self, patches: Float[Tensor, "rows patches pixels"], codes: Int[Tensor, "rows patches"]) -> None:
        """Move each centre to the mean of all patches it ever got. Collective."""
        flat, index = patches.flatten(0, 1).to(self.centers.dtype), codes.flatten()
        size = torch.zeros_like(self.counts).index_add_(0, index, torch.ones_like(flat[:, 0]))
        total = torch.zeros_like(self.centers).index_add_(0, index, flat)
        size, total = sum_over_processes(size), sum_over_processes(total)
        self.counts += size
        rate = torch.where(size > 0, 1 / self.counts.clamp(min=1), 0.0)
        self.centers += rate[:, None] * (total - size[:, None] * self.centers)

    def _start(self, own: Float[Tensor, "rows patches pixels"]) -> None:
        own = own.to(self.centers.dtype)
        flat = gather(own).flatten(0, 1).unique(dim=0)  # sorted: the same however ranks share the views
        if len(flat) < len(self.centers):
            raise ConfigError(
                f"codes is {len(self.centers)}, more than the {len(flat)} different patches of a batch; lower it"
            )
        self.centers.copy_(flat[torch.randperm(len(flat), device=flat.device)[: len(self.centers)]])
        self.started.fill_(True)
