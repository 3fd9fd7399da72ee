"""The spectral contrastive loss (HaoChen et al., 2021)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.losses.frobenius import product_moments
from models.ssl.parts.state.gather import gather


@full_precision
def spectral_contrastive(a: Float[Tensor, "batch width"], b: Float[Tensor, "batch width"]) -> Float[Tensor, ""]:
    """``-2 mean_i <a_i, b_i> + mean_{i != j} <a_i, b_j>^2``. Collective.

    Parameters
    ----------
    a, b
        z of two views of the same images, unnormalised or scaled by the recipe.

    Raises
    ------
    ConfigError
        The shapes differ, or there is one image only.
    """
    check_views("spectral_contrastive", a, b)
    a, b = gather(a), gather(b)
    moments = product_moments(a.T, b.T)
    return -2 * moments.diagonal.mean() + moments.off_diagonal / (len(a) * (len(a) - 1))
