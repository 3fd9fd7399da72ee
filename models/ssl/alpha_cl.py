"""alpha-CL: contrastive learning as a weighting of pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms, mean_over_pairs
from models.ssl.parts.losses.alpha_cl import alpha_cl
from models.ssl.recipe import ViewBatch


@final
class AlphaContrastive(JointEmbedding):
    """Differences of cosines, weighted by a detached softmax over the negatives (docs/papers/ssl.md#(6), #6.4).

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    temperature
        T of the weights.
    power
        p: 2 gives T times the gradient of the decoupled loss; larger values look at hard negatives more.

    References
    ----------
    Tian, Understanding deep contrastive learning via coordinate-wise optimization (2022).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        temperature: float = 0.5,
        power: float = 4.0,
        one_pass: bool = True,
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        self.temperature, self.power = temperature, power

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return mean_over_pairs(lambda a, b: alpha_cl(a, b, self.temperature, self.power), projections, batch), {}
