"""The projection head of dino, ibot and dinov2."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.ssl.parts.heads import Norm, Projector


class DinoHead(nn.Module):
    """Perceptron to a bottleneck of unit norm, then cosines with K weights of unit norm (docs/papers/ssl.md#2.3).

    Parameters
    ----------
    inputs
        Width of the input.
    hidden
        Of the perceptron.
    bottleneck
        Dimension of the normalised rows.
    prototypes
        K, number of outputs.
    layers
        Linear maps up to the bottleneck.
    norm
        Between them, "batch" or "none".

    Attributes
    ----------
    width
        K.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int = 2048,
        bottleneck: int = 256,
        prototypes: int = 4096,
        layers: int = 2,
        norm: Norm = "none",
    ) -> None:
        super().__init__()
        self.width = prototypes
        self.perceptron = Projector(inputs, hidden, bottleneck, layers, "gelu", norm)
        for module in self.perceptron.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.last = nn.Parameter(functional.normalize(torch.randn(prototypes, self.perceptron.width), dim=1))

    def bottleneck(self, h: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch bottleneck"]:
        """The rows of unit norm before the last layer: z."""
        return functional.normalize(self.perceptron(h), dim=-1)

    def logits(self, z: Float[Tensor, "batch bottleneck"]) -> Float[Tensor, "batch prototypes"]:
        """Cosines of z with the rows of the last layer, normalised here: only their directions are learned."""
        return functional.linear(z, functional.normalize(self.last, dim=1))

    def forward(self, h: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch prototypes"]:
        """Logits before any temperature."""
        return self.logits(self.bottleneck(h))

    def freeze_last(self) -> None:
        """Drop the last layer's gradient, so that the coming step leaves it alone; for between backward pass and step."""
        self.last.grad = None
