"""SimSiam: a predictor and a stop-gradient are enough."""

from __future__ import annotations

from typing import Any, final

from torch import nn

from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.cosine import negative_cosine
from models.ssl.parts.siamese import Siamese, mean_over_ordered_pairs
from models.ssl.recipe import Moment, RecipeOutput, ViewBatch


@final
class SimSiam(Siamese):
    """-cos(q(z_i), sg z_j), mean over ordered pairs of views.

    Parameters
    ----------
    encoder, projector, predictor, one_pass
        As in :class:`~models.ssl.parts.siamese.Siamese`.
    stop_gradient
        Whether targets get no gradient; without it, or without a predictor, everything collapses.

    References
    ----------
    Chen and He, Exploring simple siamese representation learning (2021).
    """

    uses_target = False

    def __init__(self, encoder: nn.Module, *, stop_gradient: bool = True, **parts: Any) -> None:
        super().__init__(encoder, **parts)
        self.stop_gradient = stop_gradient

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features, projections = self.project(batch.views)
        predictions = self.predict(projections)
        targets = [z.detach() if self.stop_gradient else z for z in projections]
        loss = mean_over_ordered_pairs(lambda i, j: negative_cosine(predictions[j], targets[i]), batch)
        return output(loss, features, projections, batch)
