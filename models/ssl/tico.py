"""TiCo: agreement, and a penalty along the directions that a moving covariance finds crowded."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.tico import tico
from models.ssl.parts.siamese import Siamese
from models.ssl.recipe import Moment, RecipeOutput, ViewBatch
from runs.errors import ConfigError


@final
class TiCo(Siamese):
    """1 - cos(a, t_b) + rho a^T C a, over both orders.

    Parameters
    ----------
    encoder, projector, target, one_pass
        As in :class:`~models.ssl.parts.siamese.Siamese`.
    memory
        Momentum of the covariance.
    weight
        rho.

    References
    ----------
    Zhu et al., TiCo: transformation invariance and covariance contrast (2022).
    """

    uses_predictor = False

    covariance: Tensor

    def __init__(self, encoder: nn.Module, *, memory: float = 0.9, weight: float = 8.0, **parts: Any) -> None:
        super().__init__(encoder, **parts)
        self.memory, self.weight = memory, weight
        self.register_buffer("covariance", torch.zeros(self.dimension, self.dimension))
        self._next: Tensor | None = None

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        if len(batch.views) != 2:
            raise ConfigError(f"data.views makes {len(batch.views)} views; tico takes 2")
        features, projections = self.project(batch.views)
        targets = self.targets(batch.views)
        first, covariance = tico(projections[0], targets[1], self.covariance, self.memory, self.weight)
        second, self._next = tico(projections[1], targets[0], covariance, self.memory, self.weight)
        return output((first + second) / 2, features, projections, batch)

    def after_step(self, moment: Moment) -> None:
        self.move_target(moment)
        if self._next is not None:
            self.covariance.copy_(self._next)
