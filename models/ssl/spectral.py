"""Spectral contrastive learning: the factorisation of the graph of positive pairs, as a loss of samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from models.ssl.parts.joint_embedding import JointEmbedding, LossTerms, mean_over_pairs
from models.ssl.parts.losses.spectral_contrastive import spectral_contrastive
from models.ssl.recipe import ViewBatch
from runs.errors import ConfigError


@final
class SpectralContrastive(JointEmbedding):
    """The spectral contrastive loss of the projections, which are drawn back into a ball: of free ones it grows like |z|^4.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`JointEmbedding`.
    mu
        Square of the ball's radius.

    Raises
    ------
    ConfigError
        ``mu`` is not positive.

    References
    ----------
    HaoChen et al., Provable guarantees for self-supervised deep learning with spectral contrastive loss (2021).
    """

    def __init__(
        self, encoder: nn.Module, projector: Callable[[int], nn.Module], mu: float = 1.0, one_pass: bool = False
    ) -> None:
        super().__init__(encoder, projector, one_pass)
        if not mu > 0:
            raise ConfigError(f"model.mu is {mu}; give a positive number")
        self.radius = math.sqrt(mu)

    def loss(self, projections: list[Tensor], batch: ViewBatch) -> LossTerms:
        return mean_over_pairs(spectral_contrastive, [self.within(z) for z in projections], batch), {}

    def within(self, z: Float[Tensor, "batch dimension"]) -> Float[Tensor, "batch dimension"]:
        """Rows outside the ball pulled to its surface."""
        z = z.float() if z.dtype.itemsize < 4 else z
        return z * (self.radius / z.norm(dim=1, keepdim=True).clamp(min=self.radius))
