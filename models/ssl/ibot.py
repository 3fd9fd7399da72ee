"""iBOT: dino on [CLS] and on hidden patches."""

from __future__ import annotations

from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from models.encoders.vit import VisionTransformer
from models.ssl.parts.masked_distillation import MaskedDistillation, Probabilities
from models.ssl.parts.state.center import Center
from models.ssl.recipe import Moment


@final
class IBOT(MaskedDistillation):
    """Teacher probabilities are centred and sharpened, with a centre for h and one for patches.

    Parameters
    ----------
    encoder, **settings
        As in :class:`MaskedDistillation`.
    center_momentum
        Of both centres.

    References
    ----------
    Zhou et al., iBOT: image BERT pre-training with online tokenizer (2022).
    """

    def __init__(self, encoder: VisionTransformer, center_momentum: float = 0.9, **settings: Any) -> None:
        super().__init__(encoder, **settings)
        self.center = Center(self.head.width, center_momentum)
        self.patch_center = Center(self.patch_head.width, center_momentum)
        self._newest: tuple[list[Tensor], Tensor] | None = None

    def probabilities(
        self,
        views: list[Float[Tensor, "batch prototypes"]],
        hidden: Float[Tensor, "hidden prototypes"],
        temperature: float,
    ) -> Probabilities:
        self._newest = views, hidden
        return [self.center(t, temperature) for t in views], self.patch_center(hidden, temperature)

    def spread(self, h: list[Float[Tensor, "batch width"]]) -> None:
        return None

    def after_step(self, moment: Moment) -> None:
        self.move_teacher(moment)
        if self._newest is not None:
            views, hidden = self._newest
            self.center.update(torch.cat(views))
            self.patch_center.update(hidden)
            self._newest = None
