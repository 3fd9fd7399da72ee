"""NNCLR: the positive is the nearest neighbour of the other view among past projections."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.ssl.parts import passes
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.infonce import cross_view
from models.ssl.parts.state.queue import FeatureQueue
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class NNCLR(Recipe):
    """CE(NN_Q(z_i) p_j^T / T), mean over ordered pairs of views.

    Parameters
    ----------
    encoder
        f.
    projector, predictor
        g and q; called with the width of what they take.
    queue
        Projections among which neighbours are sought, a multiple of the batch of all ranks.
    temperature
        T.
    one_pass
        Whether views of one size go through the networks together.

    References
    ----------
    Dwibedi et al., With a little help from my friends (2021).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        predictor: Callable[[int], nn.Module],
        queue: int,
        temperature: float = 0.2,
        one_pass: bool = False,
    ) -> None:
        super().__init__(encoder)
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        self.predictor = predictor(self.projector.width)  # type: ignore[arg-type]
        self.queue = FeatureQueue(queue, self.projector.width)  # type: ignore[arg-type]
        self.temperature, self.one_pass = temperature, one_pass
        self._newest: Tensor | None = None

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features = passes.through(self.encoder, batch.views, self.one_pass)
        projections = passes.through(self.projector, features, self.one_pass)
        predictions = passes.through(self.predictor, projections, self.one_pass)
        neighbours = [
            self.queue.nearest(functional.normalize(z.detach(), dim=1))[:, 0] for z in projections[: batch.global_views]
        ]
        compared = passes.ordered_pairs(batch.global_views, len(batch.views))
        losses = [cross_view(neighbours[i], predictions[j], self.temperature) for i, j in compared]
        self._newest = projections[0].detach()
        return output(torch.stack(losses).mean(), features, projections, batch)

    def after_step(self, moment: Moment) -> None:
        if self._newest is not None:
            self.queue.push(self._newest)
