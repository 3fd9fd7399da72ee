"""NT-Xent, the loss of SimCLR (Chen et al., 2020, equation 1)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive, check_views
from models.ssl.parts.losses.pairs import similarities
from models.ssl.parts.state.reduce import mean_over_processes


@full_precision
def nt_xent(
    a: Float[Tensor, "batch width"], b: Float[Tensor, "batch width"], temperature: float = 0.5
) -> Float[Tensor, ""]:
    """Mean over the 2B rows of ``-s_partner + logsumexp_{j != i} s_ij``, s = cosine / T. Collective.

    Parameters
    ----------
    a, b
        z of two views of the same images, any length.
    temperature
        T.

    Raises
    ------
    ConfigError
        T is not positive, the shapes differ, or there is one image only.
    """
    check_positive("nt_xent", temperature=temperature)
    check_views("nt_xent", a, b)
    pairs = similarities(a, b, temperature, partner=True)
    return mean_over_processes((pairs.similarity.logsumexp(1) - pairs.positive).mean())
