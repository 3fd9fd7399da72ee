"""alpha-CL: contrastive learning as a weighted sum of cosines (Tian, 2022), here with weights that sharpen with a power."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive, check_views
from models.ssl.parts.losses.pairs import similarities
from models.ssl.parts.state.reduce import mean_over_processes


@full_precision
def alpha_cl(
    a: Float[Tensor, "batch width"], b: Float[Tensor, "batch width"], temperature: float = 0.5, power: float = 4.0
) -> Float[Tensor, ""]:
    """Mean over the 2B rows of ``sum_j w_ij (s_ij - s_i,partner)``, s the cosine. Collective.

    ``w_ij = softmax_j(-(1 - s_ij)^(power/2) / T)`` over the 2(B - 1) negatives, without gradient. With power 2 its gradient
    is T times that of ``dcl``.

    Parameters
    ----------
    a, b
        z of two views of the same images, any length.
    temperature
        T.
    power
        p.

    Raises
    ------
    ConfigError
        T or the power is not positive, the shapes differ, or there is one image only.
    """
    check_positive("alpha_cl", temperature=temperature, power=power)
    check_views("alpha_cl", a, b)
    similarity, positive = similarities(a, b, 1.0, partner=False)
    distance = (1 - similarity.detach()).clamp_(min=0)
    weights = (distance.pow_(power / 2).neg_() / temperature).softmax(1)
    left_out = similarity.detach() == -float("inf")
    return mean_over_processes(((weights * similarity.masked_fill(left_out, 0.0)).sum(1) - positive).mean())
