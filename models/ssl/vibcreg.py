"""VIbCReg: VICReg with a normalised covariance."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms, mean_over_pairs
from models.ssl.parts.losses.vibcreg import vibcreg
from models.ssl.recipe import ViewBatch


@final
class VIbCReg(JointEmbedding):
    """VICReg whose covariance is that of centred, column-normalised projections; the projector ends in IterNorm.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    invariance, variance, covariance
        Weights of the three terms.

    References
    ----------
    Lee and Aune, Computer vision self-supervised learning methods on time series (2021).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 200.0,
        one_pass: bool = False,
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        self.weights = (invariance, variance, covariance)

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return mean_over_pairs(lambda a, b: vibcreg(a, b, *self.weights), projections, batch), {}
