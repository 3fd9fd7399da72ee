"""ReSSL: a strong view relates to past images as a weak one does."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from models.ssl.parts.joint_embedding import output
from models.ssl.parts.losses.ressl import relational
from models.ssl.parts.siamese import Siamese
from models.ssl.parts.state.queue import FeatureQueue
from models.ssl.recipe import Moment, RecipeOutput, ViewBatch
from runs.errors import ConfigError


@final
class ReSSL(Siamese):
    """CE(softmax(t Q / T_t), softmax(z Q / T_s)); the first view goes to the student, the second, weak, to the teacher.

    Parameters
    ----------
    encoder, projector, target
        As in :class:`~models.ssl.parts.siamese.Siamese`.
    queue
        Targets of past images, a multiple of the batch of all ranks.
    student_temperature, teacher_temperature
        T_s and T_t.

    References
    ----------
    Zheng et al., ReSSL: relational self-supervised learning with weak augmentation (2021).
    """

    uses_predictor = False

    def __init__(
        self,
        encoder: nn.Module,
        *,
        queue: int,
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        **parts: Any,
    ) -> None:
        super().__init__(encoder, **parts)
        self.queue = FeatureQueue(queue, self.dimension)
        self.student_temperature, self.teacher_temperature = student_temperature, teacher_temperature
        self._newest: Tensor | None = None

    def forward(self, batch: ViewBatch, moment: Moment) -> RecipeOutput:
        if len(batch.views) != 2:
            raise ConfigError(f"data.views makes {len(batch.views)} views; ressl takes 2, a strong and a weak one")
        strong, weak = batch.views
        (h,), (z,) = self.project([strong])
        (self._newest,) = self.targets([weak])
        loss = relational(z, self._newest, self.queue.features, self.student_temperature, self.teacher_temperature)
        one = ViewBatch((strong,), 1)
        return output(loss, [h], [z], one)

    def after_step(self, moment: Moment) -> None:
        self.move_target(moment)
        if self._newest is not None:
            self.queue.push(self._newest)
