"""DirectPred and DirectSet: BYOL with a predictor in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import torch
from torch import nn

from models.ssl.parts.direct_predictor import DirectPredictor
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.cosine import regression
from models.ssl.parts.siamese import Siamese, mean_over_ordered_pairs
from models.ssl.recipe import Moment, RecipeOutput, ViewBatch


@final
class DirectPred(Siamese):
    """BYOL's loss; the predictor is overwritten in every step from the correlation of the projections.

    Parameters
    ----------
    encoder, projector, target
        As in :class:`~models.ssl.parts.siamese.Siamese`.
    predictor
        Called with the projections' width; makes a :class:`DirectPredictor`.

    References
    ----------
    Tian et al., Understanding self-supervised learning dynamics without contrastive pairs (2021).
    """

    predictor: DirectPredictor

    def __init__(self, encoder: nn.Module, *, predictor: Callable[[int], DirectPredictor], **parts: Any) -> None:
        super().__init__(encoder, predictor=predictor, **parts)

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features, projections = self.project(batch.views)
        self.predictor.update(torch.cat(projections).detach())
        predictions, targets = self.predict(projections), self.targets(batch.views[: batch.global_views])
        loss = 2 * mean_over_ordered_pairs(lambda i, j: regression(predictions[j], targets[i]), batch)
        return output(loss, features, projections, batch)

    def after_step(self, moment: Moment) -> None:
        self.move_target(moment)
