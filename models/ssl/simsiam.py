"""SimSiam: a predictor and a stop-gradient are enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import nn

from models.ssl.parts import passes
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.cosine import negative_cosine
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class SimSiam(Recipe):
    """-cos(q(z_i), sg z_j), mean over ordered pairs of views.

    Parameters
    ----------
    encoder
        f.
    projector, predictor
        g and q; called with the width of what they take. A predictor of no layers is the identity.
    stop_gradient
        Whether targets get no gradient; without it, or without a predictor, everything collapses.
    one_pass
        Whether views of one size go through the networks together.

    References
    ----------
    Chen and He, Exploring simple siamese representation learning (2021).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        predictor: Callable[[int], nn.Module],
        stop_gradient: bool = True,
        one_pass: bool = False,
    ) -> None:
        super().__init__(encoder)
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        self.predictor = predictor(self.projector.width)  # type: ignore[arg-type]
        self.stop_gradient, self.one_pass = stop_gradient, one_pass

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features = passes.through(self.encoder, batch.views, self.one_pass)
        projections = passes.through(self.projector, features, self.one_pass)
        predictions = passes.through(self.predictor, projections, self.one_pass)
        targets = [z.detach() if self.stop_gradient else z for z in projections]
        compared = passes.ordered_pairs(batch.global_views, len(batch.views))
        loss = torch.stack([negative_cosine(predictions[j], targets[i]) for i, j in compared]).mean()
        return output(loss, features, projections, batch)
