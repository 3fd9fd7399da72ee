"""W-MSE: views agree after whitening."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms, mean_over_pairs
from models.ssl.parts.losses.w_mse import w_mse
from models.ssl.recipe import ViewBatch


@final
class WhiteningMSE(JointEmbedding):
    """Cosine regression of projections that are whitened in random sub-batches.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    sub_batch
        Rows that are whitened together, at least twice the dimension of the projections.

    References
    ----------
    Ermolov et al., Whitening for self-supervised representation learning (2021).
    """

    def __init__(
        self, encoder: nn.Module, projector: Callable[[int], nn.Module], sub_batch: int = 128, one_pass: bool = False
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        self.sub_batch = sub_batch

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return mean_over_pairs(lambda a, b: w_mse(a, b, self.sub_batch), projections, batch), {}
