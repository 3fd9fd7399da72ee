"""Mean shift: move towards the nearest neighbours of one's own target."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.ssl.parts import passes
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.mean_shift import mean_shift
from models.ssl.parts.state.gather import gather
from models.ssl.parts.state.queue import FeatureQueue
from models.ssl.parts.target import Target
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch
from runs.errors import ConfigError


@final
class MeanShift(Recipe):
    """Mean of 2 - 2 cos(q(z_j), u) over the k targets u nearest to t_i, itself among them.

    Parameters
    ----------
    encoder
        f.
    projector, predictor
        g and q; called with the width of what they take.
    target
        Called with f and g; makes their moving average.
    queue
        Targets among which neighbours are sought, a multiple of the batch of all ranks.
    neighbours
        k.

    References
    ----------
    Koohpayegani et al., Mean shift for self-supervised learning (2021).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        predictor: Callable[[int], nn.Module],
        target: Callable[..., Target],
        queue: int,
        neighbours: int = 5,
    ) -> None:
        super().__init__(encoder)
        if not 1 <= neighbours <= queue:
            raise ConfigError(f"model.neighbours is {neighbours}; give at least 1 and at most model.queue {queue}")
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        self.predictor = predictor(self.projector.width)  # type: ignore[arg-type]
        self.target = target(encoder, self.projector)
        self.queue = FeatureQueue(queue, self.projector.width)  # type: ignore[arg-type]
        self.neighbours = neighbours
        self._newest: Tensor | None = None

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features = passes.through(self.encoder, batch.views)
        projections = passes.through(self.projector, features)
        predictions = passes.through(self.predictor, projections)
        targets = self.target(batch.views[: batch.global_views])
        nearest = [self.nearest(t) for t in targets]
        compared = passes.ordered_pairs(batch.global_views, len(batch.views))
        losses = [mean_shift(predictions[j], nearest[i]) for i, j in compared]
        self._newest = targets[0]
        return output(torch.stack(losses).mean(), features, projections, batch)

    @torch.no_grad()
    def nearest(self, targets: Float[Tensor, "batch D"]) -> Float[Tensor, "batch k D"]:
        """Each target and its k - 1 nearest among the targets of all ranks and of the queue."""
        targets = functional.normalize(targets, dim=1)
        known = torch.cat([gather(targets), functional.normalize(self.queue.features, dim=1).to(targets.dtype)])
        similarity = targets @ known.T
        return known[similarity.topk(self.neighbours, dim=1).indices]

    def after_step(self, moment: Moment) -> None:
        self.target.update(self.encoder, self.projector, moment)
        if self._newest is not None:
            self.queue.push(self._newest)
