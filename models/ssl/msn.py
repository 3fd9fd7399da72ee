"""MSN: views with hidden patches are assigned to prototypes as the whole image is."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import nn

from models.encoders.patches import grid_of
from models.encoders.vit import VisionTransformer
from models.ssl.parts import passes
from models.ssl.parts.losses.msn import msn
from models.ssl.parts.masking.mask import Masking, visible_and_hidden
from models.ssl.parts.masking.random import RandomMasking
from models.ssl.parts.prototypes import Prototypes
from models.ssl.parts.target import Target
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class MSN(Recipe):
    """Cross entropy of the anchors' assignments to the target's, minus the entropy of the anchors' mean assignment.

    The first view is the target's; the other full-size views are anchors of which the encoder sees some patches only, and
    local views are anchors as they are.

    Parameters
    ----------
    encoder
        f, a vision transformer.
    projector
        g; called with the encoder's width.
    target
        Called with f and g; makes their moving average.
    prototypes
        K.
    masking
        Patches hidden from the anchors; default: 15 % at random.
    temperature
        T of both assignments.
    sharpening
        The target's probabilities are raised to 1 / this.
    iterations
        Of balancing the targets.
    entropy_weight
        Of the entropy of the mean assignment.

    References
    ----------
    Assran et al., Masked siamese networks for label-efficient learning (2022).
    """

    def __init__(
        self,
        encoder: VisionTransformer,
        projector: Callable[[int], nn.Module],
        target: Callable[..., Target],
        prototypes: int = 1024,
        masking: Masking | None = None,
        temperature: float = 0.1,
        sharpening: float = 0.25,
        iterations: int = 3,
        entropy_weight: float = 1.0,
    ) -> None:
        super().__init__(encoder)
        self.encoder: VisionTransformer = encoder
        self.projector = projector(encoder.width)
        self.prototypes = Prototypes(self.projector.width, prototypes)  # type: ignore[arg-type]
        self.target = target(encoder, self.projector)
        self.masking = masking or RandomMasking(0.15)
        self.temperature, self.sharpening = temperature, sharpening
        self.iterations, self.entropy_weight = iterations, entropy_weight

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        passes.pairs(batch.global_views, len(batch.views))
        masked = [self._masked(view) for view in batch.views[1 : batch.global_views]]
        local = passes.through(self.encoder, batch.views[batch.global_views :], one_pass=True)
        h = [*masked, *local]
        z = passes.through(self.projector, h)
        loss = msn(
            torch.cat(z),
            self.target(batch.views[:1])[0],
            self.prototypes.weight,
            self.temperature,
            self.sharpening,
            self.iterations,
            self.entropy_weight,
        )
        shown = slice(0, max(len(masked), 1))
        return RecipeOutput(loss, torch.cat(h[shown]), torch.cat(z[shown]))

    def after_step(self, moment: Moment) -> None:
        self.target.update(self.encoder, self.projector, moment)
        self.prototypes.renormalise()

    def _masked(self, images: torch.Tensor) -> torch.Tensor:
        grid = grid_of(images.shape[2], images.shape[3], self.encoder.patch)
        visible, _ = visible_and_hidden(self.masking(len(images), grid, images.device))
        return self.encoder.pooled(self.encoder.tokens(images, keep=visible))
