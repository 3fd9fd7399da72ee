"""SimCLR: every view finds its partner among all views of the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms, mean_over_pairs
from models.ssl.parts.losses.nt_xent import nt_xent
from models.ssl.recipe import ViewBatch


@final
class SimCLR(JointEmbedding):
    """NT-Xent of the projections.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    temperature
        T.

    References
    ----------
    Chen et al., A simple framework for contrastive learning of visual representations (2020).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        temperature: float = 0.2,
        one_pass: bool = True,
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        self.temperature = temperature

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return mean_over_pairs(lambda a, b: nt_xent(a, b, self.temperature), projections, batch), {}
