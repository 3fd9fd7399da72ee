"""PAWS: views are classified alike by their similarity to labelled images."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import nn
from torch.nn import functional

from models.ssl.parts import passes
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.paws import paws
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class PAWS(Recipe):
    """Cross-entropy between the soft classes of views, and the entropy of their mean; semi-supervised, by ``data.support``.

    Parameters
    ----------
    encoder, projector, one_pass
        As in :class:`~models.ssl.parts.joint_embedding.JointEmbedding`; the support has a pass of its own.
    classes
        Number of classes.
    temperature, sharpening, entropy_weight
        As in :func:`~models.ssl.parts.losses.paws.paws`.
    smoothing
        Of the support's labels.

    References
    ----------
    Assran et al., Semi-supervised learning of visual features by non-parametrically predicting view assignments with support
    samples (2021).
    """

    uses_support = True

    def __init__(
        self,
        encoder: nn.Module,
        projector: Callable[[int], nn.Module],
        classes: int,
        temperature: float = 0.1,
        sharpening: float = 0.25,
        entropy_weight: float = 1.0,
        smoothing: float = 0.1,
        one_pass: bool = True,
    ) -> None:
        super().__init__(encoder)
        self.projector, self.one_pass = projector(encoder.width), one_pass  # type: ignore[arg-type]
        self.classes: int = classes
        self.smoothing = smoothing
        self.temperature, self.sharpening, self.entropy_weight = temperature, sharpening, entropy_weight

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        assert batch.support is not None
        images, labels = batch.support
        features = passes.through(self.encoder, [*batch.views, images], self.one_pass)
        *projections, keys = passes.through(self.projector, features, self.one_pass)
        soft = functional.one_hot(labels, self.classes) * (1 - self.smoothing) + self.smoothing / self.classes
        loss = paws(
            projections,
            projections[: batch.global_views],
            keys,
            soft.to(keys.dtype),
            self.temperature,
            self.sharpening,
            self.entropy_weight,
        )
        return output(loss, features, projections, batch)
