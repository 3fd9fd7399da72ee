"""DirectPred and DirectSet: BYOL with a predictor in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import nn

from models.ssl.parts import passes
from models.ssl.parts.direct_predictor import DirectPredictor
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.cosine import regression
from models.ssl.parts.target import Target
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class DirectPred(Recipe):
    """BYOL's loss; the predictor is overwritten in every step from the correlation of the projections.

    Parameters
    ----------
    encoder
        f.
    projector
        g; called with the encoder's width.
    predictor
        Called with the projections' width; makes a :class:`DirectPredictor`.
    target
        Called with f and g; makes their moving average.

    References
    ----------
    Tian et al., Understanding self-supervised learning dynamics without contrastive pairs (2021).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        predictor: Callable[[int], DirectPredictor],
        target: Callable[..., Target],
    ) -> None:
        super().__init__(encoder)
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        self.predictor = predictor(self.projector.width)  # type: ignore[arg-type]
        self.target = target(encoder, self.projector)

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features = passes.through(self.encoder, batch.views)
        projections = passes.through(self.projector, features)
        self.predictor.update(torch.cat(projections).detach())
        predictions = [self.predictor(z) for z in projections]
        targets = self.target(batch.views[: batch.global_views])
        compared = passes.ordered_pairs(batch.global_views, len(batch.views))
        loss = 2 * torch.stack([regression(predictions[j], targets[i]) for i, j in compared]).mean()
        return output(loss, features, projections, batch)

    def after_step(self, moment: Moment) -> None:
        self.target.update(self.encoder, self.projector, moment)
