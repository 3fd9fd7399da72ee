"""VICReg: views agree, every dimension varies, no two dimensions say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms, mean_over_pairs
from models.ssl.parts.losses.vicreg import vicreg
from models.ssl.recipe import ViewBatch


@final
class VICReg(JointEmbedding):
    """Invariance, variance and covariance of the projections.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    invariance, variance, covariance
        Weights of the three terms.
    halved
        Whether the variance term is the mean of the two views', as in the paper, or their sum.

    References
    ----------
    Bardes et al., VICReg (2022).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        halved: bool = True,
        one_pass: bool = False,
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        self.weights = (invariance, variance, covariance)
        self.halved = halved

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return mean_over_pairs(lambda a, b: vicreg(a, b, *self.weights, halved=self.halved), projections, batch), {}
