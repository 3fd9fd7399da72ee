"""Barlow Twins: the cross-correlation of two views becomes the identity (Zbontar et al., 2021, equations 1 and 2)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.losses.frobenius import product_moments
from models.ssl.parts.state.gather import gather


@full_precision
def barlow_twins(
    a: Float[Tensor, "batch width"], b: Float[Tensor, "batch width"], redundancy: float = 0.005, scale: float = 1.0
) -> Float[Tensor, ""]:
    """``scale (sum_i (C_ii - 1)^2 + redundancy sum_{i != j} C_ij^2)`` with ``C = BN(a)^T BN(b) / B``. Collective.

    Batch normalisation with biased variance and eps 1e-5, over the rows of all processes.

    Parameters
    ----------
    a, b
        z of two views of the same images.
    redundancy
        lambda.
    scale
        Factor of the whole loss, which matters to optimisers with weight decay or clipping.

    Raises
    ------
    ConfigError
        The shapes differ, or there is one image only.
    """
    check_views("barlow_twins", a, b)
    left, right = (functional.batch_norm(gather(z), None, None, training=True, eps=1e-5) for z in (a, b))
    moments = product_moments(left, right)
    on_diagonal = (moments.diagonal / len(left) - 1).square().sum()
    return scale * (on_diagonal + redundancy * moments.off_diagonal / len(left) ** 2)
