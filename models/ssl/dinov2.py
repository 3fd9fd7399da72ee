"""DINOv2: dino and ibot with separate heads, balanced targets and a term that spreads h."""

from __future__ import annotations

from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from models.encoders.vit import VisionTransformer
from models.ssl.parts.losses.koleo import koleo
from models.ssl.parts.masked_distillation import MaskedDistillation, Probabilities
from models.ssl.parts.state.sinkhorn import sinkhorn
from models.ssl.recipe import Moment


@final
class DINOv2(MaskedDistillation):
    """Teacher probabilities use all prototypes equally (Sinkhorn); koleo on the student's h of each global view.

    Parameters
    ----------
    encoder, **settings
        As in :class:`MaskedDistillation`.
    iterations
        Of the balancing.
    koleo_weight
        Of the sum of koleo over the global views.

    References
    ----------
    Oquab et al., DINOv2: learning robust visual features without supervision (2023), section 4.
    """

    def __init__(
        self, encoder: VisionTransformer, iterations: int = 3, koleo_weight: float = 0.1, **settings: Any
    ) -> None:
        super().__init__(encoder, **settings)
        self.iterations, self.koleo_weight = iterations, koleo_weight

    def probabilities(
        self,
        views: list[Float[Tensor, "batch prototypes"]],
        hidden: Float[Tensor, "hidden prototypes"],
        temperature: float,
    ) -> Probabilities:
        balanced = sinkhorn(torch.cat(views), temperature, self.iterations)
        return list(balanced.chunk(len(views))), sinkhorn(hidden, temperature, self.iterations)

    def spread(self, h: list[Float[Tensor, "batch width"]]) -> Float[Tensor, ""] | None:
        return self.koleo_weight * torch.stack([koleo(view) for view in h]).sum() if self.koleo_weight else None

    def after_step(self, moment: Moment) -> None:
        self.move_teacher(moment)
