"""FroSSL: the entropy of the covariance by its Frobenius norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms
from models.ssl.parts.losses.frossl import frossl
from models.ssl.recipe import ViewBatch


@final
class FroSSL(JointEmbedding):
    """Agreement of every view with their mean, and a logarithm of each view's covariance norm.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    invariance
        Weight of the agreement.

    References
    ----------
    Skean et al., FroSSL: Frobenius norm minimization for self-supervised learning (2024).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        invariance: float = 1.0,
        one_pass: bool = False,
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        self.invariance = invariance

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return frossl(projections, self.invariance), {}
