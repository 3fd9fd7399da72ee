"""data2vec: predict what a moving average of the encoder makes of the whole image."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from models.encoders.vit import VisionTransformer
from models.ssl.parts.hidden_patches import HiddenPatches
from models.ssl.parts.losses.latent import mean_of_blocks, smooth_l1
from models.ssl.parts.masking.mask import Masking
from models.ssl.parts.momentum import MomentumCopy, cosine_momentum
from models.ssl.recipe import Moment
from runs.errors import ConfigError


@final
class Data2Vec(HiddenPatches):
    """Smooth L1 to the mean of the teacher's last blocks at the hidden patches.

    Parameters
    ----------
    encoder, masking
        As in :class:`HiddenPatches`.
    blocks
        Number of last blocks whose outputs, standardised, are averaged.
    beta
        Of the smooth L1 loss: below it the loss is quadratic.
    start, end
        Momentum of the teacher at the first and at the last step.

    Raises
    ------
    ConfigError
        The encoder has fewer blocks.

    References
    ----------
    Baevski et al., data2vec: a general framework for self-supervised learning (2022), section 3.
    """

    def __init__(
        self,
        encoder: VisionTransformer,
        masking: Masking,
        blocks: int = 8,
        beta: float = 2.0,
        start: float = 0.9998,
        end: float = 0.9999,
    ) -> None:
        super().__init__(encoder, encoder.width, masking)
        if not 1 <= blocks <= len(encoder.transformer.blocks):
            raise ConfigError(
                f"model.blocks is {blocks}; the encoder has {len(encoder.transformer.blocks)}, so give 1 to that many"
            )
        self.teacher = MomentumCopy(encoder)
        self.blocks, self.beta, self.start, self.end = blocks, beta, start, end

    @torch.no_grad()
    def targets(self, images: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows patches width"]:
        outputs = self.teacher.module.outputs(images)  # type: ignore[operator]
        return mean_of_blocks([tokens[:, 1:] for tokens in outputs[-self.blocks :]])

    def loss(
        self, predicted: Float[Tensor, "rows hidden width"], target: Float[Tensor, "rows hidden width"]
    ) -> Float[Tensor, ""]:
        return smooth_l1(predicted, target, self.beta)

    def after_step(self, moment: Moment) -> None:
        self.teacher.update(self.encoder, cosine_momentum(moment.step, moment.steps, self.start, self.end))
