"""SwAV: views swap their assignments to prototypes."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.ssl.parts import passes
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.swav import swav
from models.ssl.parts.prototypes import Prototypes
from models.ssl.parts.state.queue import FeatureQueue
from models.ssl.parts.state.sinkhorn import sinkhorn
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class SwAV(Recipe):
    """Cross entropy of the balanced code of a global view and the prototypes' softmax of every other view.

    Parameters
    ----------
    encoder
        f.
    projector
        g; called with the encoder's width.
    prototypes
        K.
    temperature
        T of the prediction.
    epsilon, iterations
        Entropy and iterations of Sinkhorn's balancing.
    queue
        Past projections of each global view that join the balancing, a multiple of the batch of all ranks; 0 for none.
    queue_start
        Epoch from which they do.
    frozen_epochs
        In which the prototypes stand still.
    global_views
        Number of views that give codes.

    References
    ----------
    Caron et al., Unsupervised learning of visual features by contrasting cluster assignments (2020).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        prototypes: int,
        temperature: float = 0.1,
        epsilon: float = 0.05,
        iterations: int = 3,
        queue: int = 0,
        queue_start: int = 15,
        frozen_epochs: int = 1,
        global_views: int = 2,
    ) -> None:
        super().__init__(encoder)
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        width: int = self.projector.width  # type: ignore[assignment]
        self.prototypes = Prototypes(width, prototypes)
        self.queues = nn.ModuleList(FeatureQueue(queue, width) for _ in range(global_views if queue else 0))
        self.temperature, self.epsilon, self.iterations = temperature, epsilon, iterations
        self.queue_start, self.frozen_epochs = queue_start, frozen_epochs
        self._newest: list[Tensor] = []

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        passes.pairs(batch.global_views, len(batch.views))
        self.prototypes.renormalise()
        features = passes.through(self.encoder, batch.views, one_pass=True)
        projections = passes.through(self.projector, features, one_pass=True)
        logits = [self.prototypes(z) for z in projections]
        codes = [self.codes(i, logits[i].detach(), moment) for i in range(batch.global_views)]
        self._newest = [z.detach() for z in projections[: batch.global_views]]
        return output(swav(codes, logits, self.temperature), features, projections, batch)

    @torch.no_grad()
    def codes(
        self, view: int, logits: Float[Tensor, "batch prototypes"], moment: Moment
    ) -> Float[Tensor, "batch prototypes"]:
        """Balanced assignments of the batch; those of the queue only help to balance."""
        past = None
        if self.queues and moment.epoch >= self.queue_start and self.queues[view].full:
            past = self.prototypes(self.queues[view].features)
        return sinkhorn(logits, self.epsilon, self.iterations, shared=past)

    def before_step(self, moment: Moment) -> None:
        if moment.epoch < self.frozen_epochs:
            self.prototypes.freeze()

    def after_step(self, moment: Moment) -> None:
        for queue, z in zip(self.queues, self._newest, strict=False):
            queue.push(z)  # type: ignore[operator]
