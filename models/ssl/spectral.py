"""Spectral contrastive learning: the factorisation of the graph of positive pairs, as a loss of samples."""

from __future__ import annotations

from typing import final

from torch import Tensor

from models.ssl.joint_embedding import JointEmbedding, LossTerms, mean_over_pairs
from models.ssl.losses.spectral_contrastive import spectral_contrastive
from models.ssl.recipe import ViewBatch


@final
class SpectralContrastive(JointEmbedding):
    """The spectral contrastive loss of the projections.

    References
    ----------
    HaoChen et al., Provable guarantees for self-supervised deep learning with spectral contrastive loss (2021).
    """

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return mean_over_pairs(spectral_contrastive, projections, batch), {}
