"""DINO: the student's views match the centred and sharpened output of their moving average."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from models.ssl.parts import passes
from models.ssl.parts.dino_head import DinoHead
from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.dino import dino
from models.ssl.parts.state.center import Center
from models.ssl.parts.target import Target
from models.ssl.parts.teacher_temperature import teacher_temperature as temperature_at
from models.ssl.recipe import Moment, Recipe, RecipeOutput, ViewBatch


@final
class DINO(Recipe):
    """Cross entropy of softmax((t - c) / T_t) and softmax(s / T_s), over a teacher's global and a student's other view.

    Parameters
    ----------
    encoder
        f.
    head
        Called with the encoder's width; makes a :class:`DinoHead`.
    target
        Called with f and the head; makes the teacher.
    student_temperature
        T_s.
    teacher_temperature
        T_t at the beginning and after the warm-up; 1 instead of a small value takes the sharpening away.
    teacher_warmup
        Epochs from the first to the second.
    frozen_epochs
        In which the last layer stands still.
    centering
        Whether c moves from 0; if not, one output may win for all images.
    center_momentum
        Of c.

    References
    ----------
    Caron et al., Emerging properties in self-supervised vision transformers (2021).
    """

    def __init__(
        self,
        encoder: nn.Module,
        head: Callable[[int], DinoHead],
        target: Callable[..., Target],
        student_temperature: float = 0.1,
        teacher_temperature: tuple[float, float] = (0.04, 0.07),
        teacher_warmup: int = 30,
        frozen_epochs: int = 1,
        centering: bool = True,
        center_momentum: float = 0.9,
    ) -> None:
        super().__init__(encoder)
        self.head = head(encoder.width)  # type: ignore[arg-type]
        self.target = target(encoder, self.head)
        self.center = Center(self.head.width, center_momentum)
        self.student_temperature = student_temperature
        (start, end), self.teacher_warmup = teacher_temperature, teacher_warmup
        self.teacher_temperature = start, end
        self.frozen_epochs, self.centering = frozen_epochs, centering
        self._teacher: Tensor | None = None

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        passes.pairs(batch.global_views, len(batch.views))
        features = passes.through(self.encoder, batch.views, one_pass=True)
        bottlenecks = [self.head.bottleneck(h) for h in features]
        student = [self.head.logits(z) for z in bottlenecks]
        teacher = self.target(batch.views[: batch.global_views], one_pass=True)
        self._teacher = torch.cat(teacher)
        probabilities = [self.center(t, self.temperature(moment.epoch)) for t in teacher]
        return output(dino(student, probabilities, self.student_temperature), features, bottlenecks, batch)

    def temperature(self, epoch: int) -> float:
        """T_t of an epoch."""
        return temperature_at(epoch, *self.teacher_temperature, self.teacher_warmup)

    def before_step(self, moment: Moment) -> None:
        if moment.epoch < self.frozen_epochs:
            self.head.freeze_last()

    def after_step(self, moment: Moment) -> None:
        self.target.update(self.encoder, self.head, moment)
        if self.centering and self._teacher is not None:
            self.center.update(self._teacher)
