"""Supervised contrastive learning: positives are the views of the same class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, final

import torch
from torch import Tensor, nn

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms
from models.ssl.parts.losses.supcon import supcon
from models.ssl.recipe import ViewBatch


@final
class SupCon(JointEmbedding):
    """NT-Xent's logits with the labels' positives; not self-supervised.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    temperature
        T.
    variant
        "out": mean of logarithms over the positives; "in": logarithm of the mean.

    References
    ----------
    Khosla et al., Supervised contrastive learning (2020).
    """

    uses_labels = True

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        temperature: float = 0.2,
        variant: Literal["in", "out"] = "in",
        one_pass: bool = True,
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        self.temperature: float = temperature
        self.variant: Literal["in", "out"] = variant

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        assert batch.labels is not None
        labels = batch.labels.repeat(len(projections))
        return supcon(torch.cat(projections), labels, self.temperature, self.variant), {}
