"""Recipes that replace patches by a mask token and predict something of them from the encoder's tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from models.encoders.patches import grid_of
from models.encoders.vit import VisionTransformer
from models.ssl.parts.global_views import stacked_global_views
from models.ssl.parts.masking.mask import Masking, taken, visible_and_hidden
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


class Seen(NamedTuple):
    """The mask, the indices of hidden patches, the encoder's tokens, and what is predicted of the hidden patches."""

    mask: Bool[Tensor, "rows patches"]
    hidden: Int[Tensor, "rows hidden"]
    tokens: Float[Tensor, "rows 1+patches width"]
    predicted: Float[Tensor, "rows hidden outputs"]


class HiddenPatches(Recipe, ABC):
    """A linear map of the tokens at hidden patches is compared with the targets there.

    Parameters
    ----------
    encoder
        f, a vision transformer.
    outputs
        Width of what is predicted.
    masking
        Which patches are hidden.
    """

    def __init__(self, encoder: VisionTransformer, outputs: int, masking: Masking) -> None:
        super().__init__(encoder)
        self.encoder: VisionTransformer = encoder
        self.masking = masking
        self.mask_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(encoder.width), std=0.02))
        self.head = nn.Linear(encoder.width, outputs)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    @abstractmethod
    def targets(self, images: Float[Tensor, "rows channels height width"]) -> Shaped[Tensor, "rows patches ..."]:
        """What is to be predicted of every patch, without gradient."""

    @abstractmethod
    def loss(
        self, predicted: Float[Tensor, "rows hidden outputs"], target: Shaped[Tensor, "rows hidden ..."]
    ) -> Float[Tensor, ""]:
        """Loss of the hidden patches of all processes."""

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        images = stacked_global_views(batch)
        seen = self.see(images, batch.global_views)
        loss = self.loss(seen.predicted, taken(self.targets(images), seen.hidden))
        return RecipeOutput(loss, self.encoder.pooled(seen.tokens))

    def see(self, images: Float[Tensor, "rows channels height width"], views: int = 1) -> Seen:
        """What is made of images after a mask is drawn; of as many views of them, one after the other."""
        grid = grid_of(images.shape[2], images.shape[3], self.encoder.patch)
        mask = self.masking(len(images), grid, images.device, views)
        _, hidden = visible_and_hidden(mask)
        tokens = self.encoder.tokens(images, mask=mask, mask_token=self.mask_token)
        return Seen(mask, hidden, tokens, self.head(taken(tokens[:, 1:], hidden)))
