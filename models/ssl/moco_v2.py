"""MoCo v2: a queue of past keys gives the negatives."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.infonce import infonce
from models.ssl.parts.siamese import Siamese, mean_over_ordered_pairs
from models.ssl.parts.state.queue import FeatureQueue
from models.ssl.recipe import Moment, RecipeOutput, ViewBatch


@final
class MoCoV2(Siamese):
    """CE([p . k+, p . Q] / T), mean over ordered pairs of views; each global view has a queue of its own.

    Parameters
    ----------
    encoder, projector, target, one_pass
        As in :class:`~models.ssl.parts.siamese.Siamese`.
    queue
        Keys that each queue holds, a multiple of the batch of all ranks.
    temperature
        T.
    global_views
        Number of global views, and of queues.

    References
    ----------
    Chen et al., Improved baselines with momentum contrastive learning (2020).
    """

    uses_predictor = False

    def __init__(
        self, encoder: nn.Module, *, queue: int, temperature: float = 0.2, global_views: int = 2, **parts: Any
    ) -> None:
        super().__init__(encoder, **parts)
        self.queues = nn.ModuleList(FeatureQueue(queue, self.dimension) for _ in range(global_views))
        self.temperature = temperature
        self._keys: list[Tensor] = []

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features, projections = self.project(batch.views)
        keys = self._keys = self.targets(batch.views[: batch.global_views])
        loss = mean_over_ordered_pairs(
            lambda i, j: infonce(projections[j], keys[i], self._queue(i).features, self.temperature), batch
        )
        return output(loss, features, projections, batch)

    def _queue(self, view: int) -> FeatureQueue:
        return self.queues[view]  # type: ignore[return-value]

    def after_step(self, moment: Moment) -> None:
        self.move_target(moment)
        for queue, keys in zip(self.queues, self._keys, strict=True):
            queue.push(keys)  # type: ignore[operator]
