"""Mean shift: move towards the nearest neighbours of one's own target."""

from __future__ import annotations

from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.mean_shift import mean_shift
from models.ssl.parts.siamese import Siamese, mean_over_ordered_pairs
from models.ssl.parts.state.gather import gather
from models.ssl.parts.state.queue import FeatureQueue
from models.ssl.recipe import Moment, RecipeOutput, ViewBatch
from runs.errors import ConfigError


@final
class MeanShift(Siamese):
    """Mean of 2 - 2 cos(q(z_j), u) over the k targets u nearest to t_i, itself among them.

    Parameters
    ----------
    encoder, projector, predictor, target, one_pass
        As in :class:`~models.ssl.parts.siamese.Siamese`.
    queue
        Targets among which neighbours are sought, a multiple of the batch of all ranks.
    neighbours
        k.

    References
    ----------
    Koohpayegani et al., Mean shift for self-supervised learning (2021).
    """

    def __init__(self, encoder: nn.Module, *, queue: int, neighbours: int = 5, **parts: Any) -> None:
        super().__init__(encoder, **parts)
        if not 1 <= neighbours <= queue:
            raise ConfigError(f"model.neighbours is {neighbours}; give at least 1 and at most model.queue {queue}")
        self.queue = FeatureQueue(queue, self.dimension)
        self.neighbours = neighbours
        self._newest: Tensor | None = None

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features, projections = self.project(batch.views)
        predictions, targets = self.predict(projections), self.targets(batch.views[: batch.global_views])
        nearest = [self.nearest(t) for t in targets]
        self._newest = targets[0]
        loss = mean_over_ordered_pairs(lambda i, j: mean_shift(predictions[j], nearest[i]), batch)
        return output(loss, features, projections, batch)

    @torch.no_grad()
    def nearest(self, targets: Float[Tensor, "batch D"]) -> Float[Tensor, "batch k D"]:
        """Each target and its k - 1 nearest among the targets of all ranks and of the queue."""
        targets = functional.normalize(targets, dim=1)
        known = torch.cat([gather(targets), functional.normalize(self.queue.features, dim=1).to(targets.dtype)])
        similarity = targets @ known.T
        return known[similarity.topk(self.neighbours, dim=1).indices]

    def after_step(self, moment: Moment) -> None:
        self.move_target(moment)
        if self._newest is not None:
            self.queue.push(self._newest)
