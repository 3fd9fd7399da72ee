"""The decoupled contrastive loss: the positive pair leaves the denominator (Yeh et al., 2022)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive, check_views
from models.ssl.parts.losses.pairs import similarities
from models.ssl.parts.state.gather import gather, rank_offset
from models.ssl.parts.state.reduce import mean_over_processes


@full_precision
def dcl(
    a: Float[Tensor, "batch width"],
    b: Float[Tensor, "batch width"],
    temperature: float = 0.1,
    sigma: float | None = None,
) -> Float[Tensor, ""]:
    """Mean over the 2B rows of ``-w_i s_partner + logsumexp over the 2(B - 1) negatives``, s = cosine / T. Collective.

    Parameters
    ----------
    a, b
        z of two views of the same images, any length.
    temperature
        T.
    sigma
        None: w = 1. Else ``w_i = 2 - B softmax_i(<a_i, b_i> / sigma)`` of unit rows, without gradient (DCLW).

    Raises
    ------
    ConfigError
        T or sigma is not positive, the shapes differ, or there is one image only.
    """
    check_positive("dcl", temperature=temperature, sigma=1.0 if sigma is None else sigma)
    check_views("dcl", a, b)
    similarity, positive = similarities(a, b, temperature, partner=False)
    if sigma is not None:
        positive = positive * _weights(positive.detach()[::2] * (temperature / sigma)).repeat_interleave(2)
    return mean_over_processes((similarity.logsumexp(1) - positive).mean())


def _weights(cosine_over_sigma: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    everyone = gather(cosine_over_sigma)
    start = rank_offset(len(cosine_over_sigma))
    return 2 - len(everyone) * everyone.softmax(0)[start : start + len(cosine_over_sigma)]
