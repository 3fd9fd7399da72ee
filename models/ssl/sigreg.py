"""LeJEPA: views agree while sketches of the embeddings look Gaussian."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from models.precision import full_precision
from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms
from models.ssl.parts.losses.sigreg import sigreg
from models.ssl.parts.state.reduce import mean_over_processes
from models.ssl.recipe import ViewBatch
from runs.errors import ConfigError


@final
class LeJEPA(JointEmbedding):
    """(1 - weight) squared distance of every view to the mean of the global ones + weight sketched Gaussianity.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    weight
        lambda, of the regulariser.
    slices
        Random directions, drawn anew in every step.

    Raises
    ------
    ConfigError
        ``weight`` is outside [0, 1].

    References
    ----------
    Balestriero and LeCun, LeJEPA (2025).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        weight: float = 0.05,
        slices: int = 256,
        one_pass: bool = True,
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        if not 0 <= weight <= 1:
            raise ConfigError(f"model.weight is {weight}; give a share in [0, 1]")
        self.weight, self.slices = weight, slices

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        views = torch.stack(projections)
        agreement, gaussian = _agreement(views, batch.global_views), sigreg(views, self.slices)
        loss = (1 - self.weight) * agreement + self.weight * gaussian
        return loss, {"agreement": agreement, "gaussian": gaussian}


@full_precision
def _agreement(views: Tensor, global_views: int) -> Tensor:
    return mean_over_processes((views - views[:global_views].mean(0)).square().mean())
