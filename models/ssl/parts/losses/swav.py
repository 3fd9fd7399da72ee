"""Swapped prediction of balanced codes (Caron et al., 2020, equations 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive
from models.ssl.parts.losses.views import cross_entropy_of_views


@full_precision
def swav(
    codes: Sequence[Float[Tensor, "batch prototypes"]],
    logits: Sequence[Float[Tensor, "batch prototypes"]],
    temperature: float = 0.1,
) -> Float[Tensor, ""]:
    """Mean over i of the mean over j != i of ``-q_i log_softmax(logits_j / T)``. Collective.

    Parameters
    ----------
    codes
        q of the global views: ``sinkhorn(logits_i, 0.05, 3)``, with a queue's logits as ``shared``.
    logits
        Similarities to the prototypes of every view, the global ones first.
    temperature
        T.

    Raises
    ------
    ConfigError
        T is not positive, there is no pair, or the shapes differ.
    """
    check_positive("swav", temperature=temperature)
    return cross_entropy_of_views("swav", logits, codes, temperature)
