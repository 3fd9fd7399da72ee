"""Cross-entropy on masked patches (iBOT, Zhou et al., 2022)."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive
from models.ssl.parts.state.reduce import mean_over_processes
from runs.errors import ConfigError


@full_precision
def ibot_patch(
    student_logits: Float[Tensor, "masked prototypes"],
    teacher_probabilities: Float[Tensor, "masked prototypes"],
    mask: Bool[Tensor, "*batch"],
    student_temperature: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean over images of the mean over their masked patches of ``-sum_k p_k log_softmax(s / T)_k``. Collective.

    An image without a masked patch counts as 0.

    Parameters
    ----------
    student_logits
        s of the masked patches of this process's images, in the order of ``mask.nonzero()``; their number may differ
        between processes.
    teacher_probabilities
        p of the same patches.
    mask
        (batch, ...), one entry per patch: True where the student saw a mask token.
    student_temperature
        T.

    Raises
    ------
    ConfigError
        T is not positive, or the mask has another number of patches than the logits.
    """
    check_positive("ibot_patch", student_temperature=student_temperature)
    mask = mask.flatten(1)
    per_image = mask.sum(1, keepdim=True, dtype=student_logits.dtype).clamp(min=1)
    weight = (1 / per_image).expand_as(mask)[mask]
    if len(weight) != len(student_logits) or student_logits.shape != teacher_probabilities.shape:
        raise ConfigError(
            f"ibot_patch got logits {tuple(student_logits.shape)}, probabilities {tuple(teacher_probabilities.shape)} "
            f"and {len(weight)} masked patches; give one row per masked patch"
        )
    terms = -(teacher_probabilities * (student_logits / student_temperature).log_softmax(1)).sum(1)
    return mean_over_processes((weight * terms).sum() / len(mask))
