"""BEiT with codes of pixels: which of K patches a hidden one is most like."""

from __future__ import annotations

from typing import final

from jaxtyping import Float, Int
from torch import Tensor

from models.encoders.patches import patchify
from models.encoders.vit import VisionTransformer
from models.ssl.parts.hidden_patches import HiddenPatches
from models.ssl.parts.losses.latent import code_cross_entropy
from models.ssl.parts.masking.mask import Masking
from models.ssl.parts.patch_codes import PatchCodes
from models.ssl.recipe import Moment


@final
class BEiT(HiddenPatches):
    """Cross entropy of the codes of hidden patches; k-means of pixels stands for the published tokenizer.

    Parameters
    ----------
    encoder, masking
        As in :class:`HiddenPatches`.
    codes
        K.
    code_epochs
        In which the codes are learned beside the recipe; afterwards they stand still.

    References
    ----------
    Bao et al., BEiT: BERT pre-training of image transformers (2022).
    """

    def __init__(self, encoder: VisionTransformer, masking: Masking, codes: int, code_epochs: int = 1) -> None:
        super().__init__(encoder, codes, masking)
        self.codes = PatchCodes(encoder.channels * encoder.patch**2, codes)
        self.code_epochs = code_epochs
        self._coded: tuple[Tensor, Tensor] | None = None

    def targets(self, images: Float[Tensor, "rows channels height width"]) -> Int[Tensor, "rows patches"]:
        patches = patchify(images, self.encoder.patch)
        codes = self.codes(patches)
        self._coded = patches, codes
        return codes

    def loss(
        self, predicted: Float[Tensor, "rows hidden codes"], target: Int[Tensor, "rows hidden"]
    ) -> Float[Tensor, ""]:
        return code_cross_entropy(predicted, target)

    def after_step(self, moment: Moment) -> None:
        if self._coded is not None and moment.epoch < self.code_epochs:
            self.codes.update(*self._coded)
        self._coded = None
