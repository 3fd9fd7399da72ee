"""MMCR: the mean of an image's views spans many directions, its views few."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms
from models.ssl.parts.losses.mmcr import mmcr
from models.ssl.recipe import ViewBatch


@final
class MMCR(JointEmbedding):
    """Maximum manifold capacity of the projections of all views, of unit length.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    compression
        Weight of the nuclear norm of the views of an image.

    References
    ----------
    Yerxa et al., Learning efficient coding of natural images with maximum manifold capacity representations (2023).
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        compression: float = 0.005,
        one_pass: bool = False,
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        self.compression = compression

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return mmcr(functional.normalize(torch.stack(projections, dim=1), dim=-1), self.compression), {}
