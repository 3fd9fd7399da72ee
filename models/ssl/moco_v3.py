"""MoCo v3: BYOL's networks with a contrast over the keys of the batch."""

from __future__ import annotations

from typing import Any, final

from torch import nn

from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.infonce import cross_view
from models.ssl.parts.siamese import Siamese, mean_over_ordered_pairs
from models.ssl.recipe import Moment, RecipeOutput, ViewBatch


@final
class MoCoV3(Siamese):
    """2 T (CE(p_a k_b^T / T) + CE(p_b k_a^T / T)), k the targets of all ranks.

    Parameters
    ----------
    encoder, projector, predictor, target, one_pass
        As in :class:`~models.ssl.parts.siamese.Siamese`.
    temperature
        T.

    References
    ----------
    Chen et al., An empirical study of training self-supervised vision transformers (2021).
    """

    def __init__(self, encoder: nn.Module, *, temperature: float = 0.2, **parts: Any) -> None:
        super().__init__(encoder, **parts)
        self.temperature = temperature

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features, projections = self.project(batch.views)
        queries, keys = self.predict(projections), self.targets(batch.views[: batch.global_views])
        loss = mean_over_ordered_pairs(lambda i, j: cross_view(queries[j], keys[i], self.temperature), batch)
        return output(4 * self.temperature * loss, features, projections, batch)

    def after_step(self, moment: Moment) -> None:
        self.move_target(moment)
