"""TiCo: agreement, and a penalty along the directions that a moving covariance finds crowded."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from models.ssl.parts import passes
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.tico import tico
from models.ssl.parts.target import Target
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch
from runs.errors import ConfigError


@final
class TiCo(Recipe):
    """1 - cos(a, t_b) + rho a^T C a, over both orders.

    Parameters
    ----------
    encoder
        f.
    projector
        g; called with the encoder's width.
    target
        Called with f and g; makes their moving average.
    memory
        Momentum of the covariance.
    weight
        rho.

    References
    ----------
    Zhu et al., TiCo: transformation invariance and covariance contrast (2022).
    """

    covariance: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        target: Callable[..., Target],
        memory: float = 0.9,
        weight: float = 8.0,
    ) -> None:
        super().__init__(encoder)
        self.projector = projector(encoder.width)  # type: ignore[arg-type]
        self.target = target(encoder, self.projector)
        width: int = self.projector.width  # type: ignore[assignment]
        self.memory, self.weight = memory, weight
        self.register_buffer("covariance", torch.zeros(width, width))
        self._next: Tensor | None = None

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        if len(batch.views) != 2:
            raise ConfigError(f"data.views makes {len(batch.views)} views; tico takes 2")
        features = passes.through(self.encoder, batch.views)
        projections = passes.through(self.projector, features)
        targets = self.target(batch.views)
        first, covariance = tico(projections[0], targets[1], self.covariance, self.memory, self.weight)
        second, self._next = tico(projections[1], targets[0], covariance, self.memory, self.weight)
        return output((first + second) / 2, features, projections, batch)

    def after_step(self, moment: Moment) -> None:
        self.target.update(self.encoder, self.projector, moment)
        if self._next is not None:
            self.covariance.copy_(self._next)
