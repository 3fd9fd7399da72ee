"""Distillation of [CLS] and of hidden patches from a moving average that sees the whole image (ibot, dinov2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from models.encoders.patches import grid_of
from models.encoders.vit import VisionTransformer
from models.ssl.parts import passes
from models.ssl.parts.dino_head import DinoHead
from models.ssl.parts.global_views import stacked_global_views
from models.ssl.parts.losses.dino import dino
from models.ssl.parts.losses.ibot import ibot_patch
from models.ssl.parts.masking.some_images import SomeImages
from models.ssl.parts.momentum import MomentumCopy, cosine_momentum
from models.ssl.parts.teacher_temperature import teacher_temperature
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch

Probabilities = tuple[list[Float[Tensor, "batch prototypes"]], Float[Tensor, "hidden prototypes"]]
"""Of every global view's h, and of the hidden patches of all of them."""


class MaskedDistillation(Recipe, ABC):
    """Cross entropy of h between views, plus that of hidden patches to the teacher's patches of the same view.

    The student sees a mask token at hidden patches of the global views; local views are whole. Subclasses say how the
    teacher's logits become probabilities, and what keeps h apart.

    Parameters
    ----------
    encoder
        f, a vision transformer.
    head
        Called with the encoder's width; makes a :class:`DinoHead`.
    separate_heads
        Whether patches have a head of their own.
    masking
        Which patches of the global views are hidden.
    patch_weight
        Of the second cross entropy.
    student_temperature
        T_s.
    teacher_temperature
        T_t at the beginning and after the warm-up.
    teacher_warmup
        Epochs from the first to the second.
    frozen_epochs
        In which the last layers of the heads stand still.
    start, end
        Momentum of the teacher at the first and at the last step.
    """

    def __init__(
        self,
        encoder: VisionTransformer,
        head: Callable[[int], DinoHead],
        separate_heads: bool = False,
        masking: SomeImages | None = None,
        patch_weight: float = 1.0,
        student_temperature: float = 0.1,
        teacher_temperature: tuple[float, float] = (0.04, 0.07),
        teacher_warmup: int = 30,
        frozen_epochs: int = 1,
        start: float = 0.996,
        end: float = 1.0,
    ) -> None:
        super().__init__(encoder)
        self.encoder: VisionTransformer = encoder
        self.head = head(encoder.width)
        self.patch_head = head(encoder.width) if separate_heads else self.head
        self.mask_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(encoder.width), std=0.02))
        self.masking = masking or SomeImages()
        self.patch_weight = patch_weight
        self.student_temperature = student_temperature
        self.temperatures, self.teacher_warmup = tuple(teacher_temperature), teacher_warmup
        self.frozen_epochs = frozen_epochs
        self.start, self.end = start, end
        self.teacher = MomentumCopy(self._followed())

    @abstractmethod
    def probabilities(
        self,
        views: list[Float[Tensor, "batch prototypes"]],
        hidden: Float[Tensor, "hidden prototypes"],
        temperature: float,
    ) -> Probabilities:
        """Targets from the teacher's logits of every global view's h and of the hidden patches."""

    @abstractmethod
    def spread(self, h: list[Float[Tensor, "batch width"]]) -> Float[Tensor, ""] | None:
        """A further term that keeps the student's h of different images apart; None for none."""

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        passes.pairs(batch.global_views, len(batch.views))
        images = stacked_global_views(batch)
        grid = grid_of(images.shape[2], images.shape[3], self.encoder.patch)
        mask = self.masking(len(images), grid, images.device, batch.global_views)
        targets = self.probabilities(*self._teach(images, mask, batch.global_views), self.temperature(moment.epoch))
        tokens = self.encoder.tokens(images, mask=mask, mask_token=self.mask_token)
        pooled = self.encoder.pooled(tokens)
        seen = list(pooled.chunk(batch.global_views))
        local = passes.through(self.encoder, batch.views[batch.global_views :], one_pass=True)
        z = [self.head.bottleneck(h) for h in (*seen, *local)]
        terms = {
            "views": dino([self.head.logits(row) for row in z], targets[0], self.student_temperature),
            "patches": ibot_patch(self.patch_head(tokens[:, 1:][mask]), targets[1], mask, self.student_temperature),
        }
        loss = terms["views"] + self.patch_weight * terms["patches"]
        extra = self.spread(seen)
        if extra is not None:
            terms["spread"] = extra
            loss = loss + extra
        projections = torch.cat(z[: batch.global_views])
        return RecipeOutput(loss, pooled, projections, {name: value.detach() for name, value in terms.items()})

    def temperature(self, epoch: int) -> float:
        """T_t of an epoch."""
        start, end = self.temperatures
        return teacher_temperature(epoch, start, end, self.teacher_warmup)

    def before_step(self, moment: Moment) -> None:
        if moment.epoch < self.frozen_epochs:
            self.head.freeze_last()
            self.patch_head.freeze_last()

    def move_teacher(self, moment: Moment) -> None:
        """A step of the moving average."""
        self.teacher.update(self._followed(), cosine_momentum(moment.step, moment.steps, self.start, self.end))

    @torch.no_grad()
    def _teach(
        self, images: Float[Tensor, "rows channels height width"], mask: Bool[Tensor, "rows patches"], views: int
    ) -> tuple[list[Tensor], Tensor]:
        """The teacher's logits of h, view by view, and of the patches hidden from the student."""
        encoder, head, patch_head = cast(Sequence[Any], self.teacher.module)
        tokens = encoder.tokens(images)
        return list(head(encoder.pooled(tokens)).chunk(views)), patch_head(tokens[:, 1:][mask])

    def _followed(self) -> nn.ModuleList:
        return nn.ModuleList([self.encoder, self.head, self.patch_head])
