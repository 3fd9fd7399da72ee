"""TiCo: transformation invariance and covariance contrast (Zhu et al., 2022)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.state.reduce import mean_over_processes


@full_precision
def tico(
    a: Float[Tensor, "batch width"],
    b: Float[Tensor, "batch width"],
    covariance: Float[Tensor, "width width"],
    momentum: float = 0.9,
    weight: float = 8.0,
) -> tuple[Float[Tensor, ""], Float[Tensor, "width width"]]:
    """``1 - mean cos(a, b) + weight mean_i a_i^T C' a_i`` of unit rows, and ``C' = momentum C + (1 - momentum) a^T a / B``.

    Collective.

    Parameters
    ----------
    a, b
        z of two views; b usually from a momentum encoder.
    covariance
        C of the steps before, symmetric, 0 at first. The caller stores the C' that is returned, which has no gradient.
    momentum
        beta.
    weight
        rho.

    Raises
    ------
    ConfigError
        The shapes differ, or there is one image only.
    """
    check_views("tico", a, b)
    a, b = functional.normalize(a), functional.normalize(b)
    fixed = a.detach()
    updated = momentum * covariance + (1 - momentum) * mean_over_processes(fixed.T @ fixed / len(a))
    # C' is symmetric: the gradient of a^T C' a is 2 C' a, which needs no product in the backward pass.
    quadratic = ((2 * a - fixed) * (fixed @ updated)).sum(1)
    terms = 1 - (a * b).sum(1) + weight * quadratic
    return mean_over_processes(terms.mean()), updated
