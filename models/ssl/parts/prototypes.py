"""Prototypes of unit norm, against which projections are compared (swav, msn)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Prototypes(nn.Module):
    """Cosines of projections and learned prototypes.

    Parameters
    ----------
    width
        D, of the projections.
    number
        K.
    """

    def __init__(self, width: int, number: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(functional.normalize(torch.randn(number, width), dim=1))

    def forward(self, z: Float[Tensor, "batch width"]) -> Float[Tensor, "batch number"]:
        """Cosine of each row and each prototype, provided that the prototypes have unit norm."""
        return functional.linear(functional.normalize(z, dim=1), self.weight)

    @torch.no_grad()
    def renormalise(self) -> None:
        """Bring the prototypes back to unit norm; for after every step."""
        self.weight.copy_(functional.normalize(self.weight, dim=1))

    def freeze(self) -> None:
        """Drop the gradient, so that the coming step leaves the prototypes alone; for between backward pass and step."""
        self.weight.grad = None
