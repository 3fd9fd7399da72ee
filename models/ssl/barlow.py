"""Barlow Twins: the cross-correlation of the two views is the identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms, mean_over_pairs
from models.ssl.parts.losses.barlow import barlow_twins
from models.ssl.recipe import ViewBatch


@final
class BarlowTwins(JointEmbedding):
    """Redundancy reduction of the projections.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    redundancy
        lambda, weight of the entries beside the diagonal.
    scale
        Factor of the loss.

    References
    ----------
    Zbontar et al., Barlow Twins (2021).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        redundancy: float = 0.0051,
        scale: float = 0.1,
        one_pass: bool = False,
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        self.redundancy, self.scale = redundancy, scale

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return mean_over_pairs(lambda a, b: barlow_twins(a, b, self.redundancy, self.scale), projections, batch), {}
