"""SimMIM: the pixels of hidden blocks by a linear map."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from models.encoders.patches import patchify
from models.encoders.vit import VisionTransformer
from models.ssl.parts.hidden_patches import HiddenPatches
from models.ssl.parts.losses.pixel import absolute_error
from models.ssl.parts.masking.mask import Masking
from models.ssl.parts.reconstruction import Reconstruction, reconstruction


@final
class SimMIM(HiddenPatches):
    """Absolute error of the hidden pixels.

    Parameters
    ----------
    encoder, masking
        As in :class:`HiddenPatches`.

    References
    ----------
    Xie et al., SimMIM: a simple framework for masked image modeling (2022).
    """

    def __init__(self, encoder: VisionTransformer, masking: Masking) -> None:
        super().__init__(encoder, encoder.channels * encoder.patch**2, masking)

    def targets(self, images: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows patches pixels"]:
        return patchify(images, self.encoder.patch)

    def loss(
        self, predicted: Float[Tensor, "rows hidden pixels"], target: Float[Tensor, "rows hidden pixels"]
    ) -> Float[Tensor, ""]:
        return absolute_error(predicted, target)

    @torch.no_grad()
    def reconstruct(self, images: Float[Tensor, "batch channels height width"]) -> Reconstruction:
        """Hidden patches as predicted, visible ones as they are."""
        seen = self.see(images)
        return reconstruction(images, seen.mask, seen.predicted, self.encoder.patch)
