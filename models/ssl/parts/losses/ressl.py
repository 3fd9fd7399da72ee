"""Relational self-supervised learning: the student's similarities to a memory follow the teacher's (Zheng et al., 2021)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive, check_views
from models.ssl.parts.state.reduce import mean_over_processes


@full_precision
def relational(
    z: Float[Tensor, "batch width"],
    t: Float[Tensor, "batch width"],
    memory: Float[Tensor, "size width"],
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.04,
) -> Float[Tensor, ""]:
    """Mean cross-entropy of ``softmax(z Q / T_s)`` to ``softmax(t Q / T_t)``, all rows made unit. Collective.

    Parameters
    ----------
    z, t
        Student's strong view and teacher's weak view; t gives no gradient.
    memory
        Q, the same on every process (``FeatureQueue.features``).
    student_temperature, teacher_temperature
        T_s and the sharper T_t.

    Raises
    ------
    ConfigError
        A temperature is not positive, or the shapes differ.
    """
    check_positive("relational", student_temperature=student_temperature, teacher_temperature=teacher_temperature)
    check_views("relational", z, t, rows=1)
    unit = functional.normalize(memory).T
    with torch.no_grad():
        target = (functional.normalize(t) @ unit / teacher_temperature).softmax(1)
    logits = functional.normalize(z) @ unit / student_temperature
    return mean_over_processes(functional.cross_entropy(logits, target))
