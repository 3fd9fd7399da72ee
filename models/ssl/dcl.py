"""Decoupled contrastive learning: SimCLR without the positive in the denominator."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms, mean_over_pairs
from models.ssl.parts.losses.dcl import dcl
from models.ssl.recipe import ViewBatch


@final
class DecoupledContrastive(JointEmbedding):
    """The decoupled loss of the projections, of which small batches harm less.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    temperature
        T.
    sigma
        Concentration of the weights of positives (DCLW); None for none.

    References
    ----------
    Yeh et al., Decoupled contrastive learning (2022).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        temperature: float = 0.1,
        sigma: float | None = None,
        one_pass: bool = True,
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        self.temperature, self.sigma = temperature, sigma

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return mean_over_pairs(lambda a, b: dcl(a, b, self.temperature, self.sigma), projections, batch), {}
