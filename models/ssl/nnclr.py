"""NNCLR: the positive is the nearest neighbour of the other view among past projections."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn
from torch.nn import functional

from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.infonce import cross_view
from models.ssl.parts.siamese import Siamese, mean_over_ordered_pairs
from models.ssl.parts.state.queue import FeatureQueue
from models.ssl.recipe import Moment, RecipeOutput, ViewBatch


@final
class NNCLR(Siamese):
    """CE(NN_Q(z_i) p_j^T / T), mean over ordered pairs of views.

    Parameters
    ----------
    encoder, projector, predictor, one_pass
        As in :class:`~models.ssl.parts.siamese.Siamese`.
    queue
        Projections among which neighbours are sought, a multiple of the batch of all ranks.
    temperature
        T.

    References
    ----------
    Dwibedi et al., With a little help from my friends (2021).
    """

    uses_target = False

    def __init__(self, encoder: nn.Module, *, queue: int, temperature: float = 0.2, **parts: Any) -> None:
        super().__init__(encoder, **parts)
        self.queue = FeatureQueue(queue, self.dimension)
        self.temperature = temperature
        self._newest: Tensor | None = None

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features, projections = self.project(batch.views)
        predictions = self.predict(projections)
        neighbours = [
            self.queue.nearest(functional.normalize(z.detach(), dim=1))[:, 0] for z in projections[: batch.global_views]
        ]
        self._newest = projections[0].detach()
        loss = mean_over_ordered_pairs(lambda i, j: cross_view(neighbours[i], predictions[j], self.temperature), batch)
        return output(loss, features, projections, batch)

    def after_step(self, moment: Moment) -> None:
        if self._newest is not None:
            self.queue.push(self._newest)
