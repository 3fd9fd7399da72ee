"""BYOL: predict what a moving average of oneself makes of another view."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import nn

from models.ssl.parts import passes
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.cosine import regression
from models.ssl.parts.target import Target
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class BYOL(Recipe):
    """2 - 2 cos(q(z_j), t_i), over both orders: twice the mean over ordered pairs of views.

    Parameters
    ----------
    encoder
        f.
    projector, predictor
        g and q; called with the width of what they take. A predictor of no layers is the identity.
    target
        Called with f and g; makes their moving average.
    one_pass
        Whether views of one size go through the networks together.

    References
    ----------
    Grill et al., Bootstrap your own latent (2020).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        predictor: Callable[[int], nn.Module],
        target: Callable[..., Target],
        one_pass: bool = False,
    ) -> None:
        super().__init__(encoder)
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        self.predictor = predictor(self.projector.width)  # type: ignore[arg-type]
        self.target = target(encoder, self.projector)
        self.one_pass = one_pass

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features = passes.through(self.encoder, batch.views, self.one_pass)
        projections = passes.through(self.projector, features, self.one_pass)
        predictions = passes.through(self.predictor, projections, self.one_pass)
        targets = self.target(batch.views[: batch.global_views], self.one_pass)
        compared = passes.ordered_pairs(batch.global_views, len(batch.views))
        loss = 2 * torch.stack([regression(predictions[j], targets[i]) for i, j in compared]).mean()
        return output(loss, features, projections, batch)

    def after_step(self, moment: Moment) -> None:
        self.target.update(self.encoder, self.projector, moment)
