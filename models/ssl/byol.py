"""BYOL: predict what a moving average of oneself makes of another view."""

from __future__ import annotations

from typing import final

from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.cosine import regression
from models.ssl.parts.siamese import Siamese, mean_over_ordered_pairs
from models.ssl.recipe import Moment, RecipeOutput, ViewBatch


@final
class BYOL(Siamese):
    """2 - 2 cos(q(z_j), t_i), over both orders: twice the mean over ordered pairs of views.

    Parameters
    ----------
    encoder, projector, predictor, target, one_pass
        As in :class:`~models.ssl.parts.siamese.Siamese`.

    References
    ----------
    Grill et al., Bootstrap your own latent (2020).
    """

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features, projections = self.project(batch.views)
        predictions, targets = self.predict(projections), self.targets(batch.views[: batch.global_views])
        loss = 2 * mean_over_ordered_pairs(lambda i, j: regression(predictions[j], targets[i]), batch)
        return output(loss, features, projections, batch)

    def after_step(self, moment: Moment) -> None:
        self.move_target(moment)
