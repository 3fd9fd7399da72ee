"""I-JEPA: from a context block predict the features of other blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from models.encoders.patches import grid_of
from models.encoders.vit import VisionTransformer
from models.ssl.parts.global_views import stacked_global_views
from models.ssl.parts.losses.latent import layer_normed, smooth_l1
from models.ssl.parts.masking.mask import taken
from models.ssl.parts.masking.multi_block import MultiBlock
from models.ssl.parts.momentum import MomentumCopy, cosine_momentum
from models.ssl.parts.patch_predictor import PatchPredictor
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class IJEPA(Recipe):
    """Smooth L1 of predicted and layer-normed features of each target block, the teacher having seen the whole image.

    Parameters
    ----------
    encoder
        f, a vision transformer; h of the features are its pooled tokens of the context.
    predictor
        Called with ``inputs``, ``outputs`` and ``grid``; makes a :class:`PatchPredictor`.
    masking
        Context and target blocks.
    start, end
        Momentum of the teacher at the first and at the last step.

    References
    ----------
    Assran et al., Self-supervised learning from images with a joint-embedding predictive architecture (2023).
    """

    def __init__(
        self,
        encoder: VisionTransformer,
        predictor: Callable[..., PatchPredictor],
        masking: MultiBlock | None = None,
        start: float = 0.996,
        end: float = 1.0,
    ) -> None:
        super().__init__(encoder)
        self.encoder: VisionTransformer = encoder
        self.predictor = predictor(inputs=encoder.width, outputs=encoder.width, grid=encoder.grid)
        self.masking = masking or MultiBlock()
        self.teacher = MomentumCopy(encoder)
        self.start, self.end = start, end

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        images = stacked_global_views(batch)
        grid = grid_of(images.shape[2], images.shape[3], self.encoder.patch)
        context, targets = self.masking(len(images), grid, images.device, batch.global_views)
        tokens = self.encoder.tokens(images, keep=context)
        blocks = targets.shape[1]
        predicted = self.predictor(
            tokens[:, 1:].repeat_interleave(blocks, 0), context.repeat_interleave(blocks, 0), targets.flatten(0, 1)
        )
        wanted = taken(self.features(images), targets.flatten(1)).view_as(predicted)
        return RecipeOutput(smooth_l1(predicted, wanted), self.encoder.pooled(tokens))

    @torch.no_grad()
    def features(self, images: Float[Tensor, "rows channels height width"]) -> Float[Tensor, "rows patches width"]:
        """The teacher's layer-normed tokens of every patch."""
        return layer_normed(self.teacher.module.tokens(images)[:, 1:])  # type: ignore[operator]

    def after_step(self, moment: Moment) -> None:
        self.teacher.update(self.encoder, cosine_momentum(moment.step, moment.steps, self.start, self.end))
