"""MoCo v3: BYOL's networks with a contrast over the keys of the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import nn

from models.ssl.parts import passes
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.infonce import cross_view
from models.ssl.parts.target import Target
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class MoCoV3(Recipe):
    """2 T (CE(p_a k_b^T / T) + CE(p_b k_a^T / T)), k the targets of all ranks.

    Parameters
    ----------
    encoder
        f.
    projector, predictor
        g and q; called with the width of what they take.
    target
        Called with f and g; makes their moving average.
    temperature
        T.
    one_pass
        Whether views of one size go through the networks together.

    References
    ----------
    Chen et al., An empirical study of training self-supervised vision transformers (2021).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        predictor: Callable[[int], nn.Module],
        target: Callable[..., Target],
        temperature: float = 0.2,
        one_pass: bool = False,
    ) -> None:
        super().__init__(encoder)
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        self.predictor = predictor(self.projector.width)  # type: ignore[arg-type]
        self.target = target(encoder, self.projector)
        self.temperature, self.one_pass = temperature, one_pass

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        features = passes.through(self.encoder, batch.views, self.one_pass)
        projections = passes.through(self.projector, features, self.one_pass)
        queries = passes.through(self.predictor, projections, self.one_pass)
        keys = self.target(batch.views[: batch.global_views], self.one_pass)
        compared = passes.ordered_pairs(batch.global_views, len(batch.views))
        losses = [cross_view(queries[j], keys[i], self.temperature) for i, j in compared]
        return output(4 * self.temperature * torch.stack(losses).mean(), features, projections, batch)

    def after_step(self, moment: Moment) -> None:
        self.target.update(self.encoder, self.projector, moment)
