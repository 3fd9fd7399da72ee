"""MAE: encode a few patches, decode the pixels of all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from models.encoders.patches import grid_of, patchify
from models.encoders.vit import VisionTransformer
from models.ssl.parts.global_views import stacked_global_views
from models.ssl.parts.losses.pixel import normalised_patches, squared_error
from models.ssl.parts.masking.mask import Masking, taken, visible_and_hidden
from models.ssl.parts.masking.random import RandomMasking
from models.ssl.parts.patch_predictor import PatchPredictor
from models.ssl.parts.reconstruction import Reconstruction, reconstruction
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class MAE(Recipe):
    """Squared error of the hidden patches' pixels; the encoder never sees a mask token.

    Parameters
    ----------
    encoder
        f, a vision transformer; h of the features are its pooled tokens of the visible patches.
    decoder
        Called with ``inputs``, ``outputs`` and ``grid``; makes a :class:`PatchPredictor`.
    masking
        Which patches are hidden; default: 75 % at random.
    normalise
        Whether the target is normalised patch by patch.

    References
    ----------
    He et al., Masked autoencoders are scalable vision learners (2022).
    """

    def __init__(
        self,
        encoder: VisionTransformer,
        decoder: Callable[..., PatchPredictor],
        masking: Masking | None = None,
        normalise: bool = True,
    ) -> None:
        super().__init__(encoder)
        self.encoder: VisionTransformer = encoder
        pixels = encoder.channels * encoder.patch**2
        self.decoder = decoder(inputs=encoder.width, outputs=pixels, grid=encoder.grid)
        self.masking = masking or RandomMasking(0.75)
        self.normalise = normalise

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        images = stacked_global_views(batch)
        patches = patchify(images, self.encoder.patch)
        mask = self.masking(len(images), self._grid(images), images.device, batch.global_views)
        visible, hidden = visible_and_hidden(mask)
        tokens = self.encoder.tokens(images, keep=visible)
        target = taken(normalised_patches(patches) if self.normalise else patches, hidden)
        loss = squared_error(self.decoder(tokens, visible, hidden), target)
        return RecipeOutput(loss, self.encoder.pooled(tokens))

    @torch.no_grad()
    def reconstruct(self, images: Float[Tensor, "batch channels height width"]) -> Reconstruction:
        """Hidden patches as predicted, visible ones as they are.

        Where the target is normalised the prediction gets the mean and the variance of the true patch.
        """
        mask = self.masking(len(images), self._grid(images), images.device)
        visible, hidden = visible_and_hidden(mask)
        predicted = self.decoder(self.encoder.tokens(images, keep=visible), visible, hidden)
        if self.normalise:
            truth = taken(patchify(images, self.encoder.patch), hidden)
            variance, mean = torch.var_mean(truth, dim=-1, keepdim=True)
            predicted = predicted * (variance + 1e-6).sqrt() + mean
        return reconstruction(images, mask, predicted, self.encoder.patch)

    def _grid(self, images: Tensor) -> tuple[int, int]:
        return grid_of(images.shape[2], images.shape[3], self.encoder.patch)
