"""Cross-entropy of a student's views against a teacher's (Caron et al., 2021, equation 3)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive
from models.ssl.parts.losses.views import cross_entropy_of_views


@full_precision
def dino(
    student_logits: Sequence[Float[Tensor, "batch prototypes"]],
    teacher_probabilities: Sequence[Float[Tensor, "batch prototypes"]],
    student_temperature: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean over rows and pairs (teacher view i, student view j != i) of ``-sum_k p_ik log_softmax(s_j / T)_k``. Collective.

    Parameters
    ----------
    student_logits
        s of every view, the global ones first.
    teacher_probabilities
        p of the global views, in the same order: centred and sharpened (``Center``), or balanced (``sinkhorn``).
    student_temperature
        T.

    Raises
    ------
    ConfigError
        T is not positive, there is no pair, or the shapes differ.
    """
    check_positive("dino", student_temperature=student_temperature)
    return cross_entropy_of_views("dino", student_logits, teacher_probabilities, student_temperature)
