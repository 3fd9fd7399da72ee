"""MoCo v2: a queue of past keys gives the negatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from models.ssl.parts import passes
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.infonce import infonce
from models.ssl.parts.state.queue import FeatureQueue
from models.ssl.parts.target import Target
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class MoCoV2(Recipe):
    """CE([p . k+, p . Q] / T), mean over ordered pairs of views; each global view has a queue of its own.

    Parameters
    ----------
    encoder
        f.
    projector
        g; called with the encoder's width.
    target
        Called with f and g; makes their moving average.
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

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        target: Callable[..., Target],
        queue: int,
        temperature: float = 0.2,
        global_views: int = 2,
    ) -> None:
        super().__init__(encoder)
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        self.target = target(encoder, self.projector)
        width: int = self.projector.width  # type: ignore[assignment]
        self.queues = nn.ModuleList(FeatureQueue(queue, width) for _ in range(global_views))
        self.temperature = temperature
        self._keys: list[Tensor] = []

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features = passes.through(self.encoder, batch.views)
        projections = passes.through(self.projector, features)
        self._keys = self.target(batch.views[: batch.global_views])
        compared = passes.ordered_pairs(batch.global_views, len(batch.views))
        losses = [
            infonce(projections[j], self._keys[i], self._queue(i).features, self.temperature) for i, j in compared
        ]
        return output(torch.stack(losses).mean(), features, projections, batch)

    def _queue(self, view: int) -> FeatureQueue:
        return self.queues[view]  # type: ignore[return-value]

    def after_step(self, moment: Moment) -> None:
        self.target.update(self.encoder, self.projector, moment)
        for queue, keys in zip(self.queues, self._keys, strict=True):
            queue.push(keys)  # type: ignore[operator]
