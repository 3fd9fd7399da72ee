"""VIbCReg: VICReg with a normalised covariance (Lee and Aune, 2021)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.losses.frobenius import product_moments
from models.ssl.parts.losses.vicreg import hinge
from models.ssl.parts.state.gather import gather
from models.ssl.parts.state.reduce import mean_over_processes


@full_precision
def vibcreg(
    a: Float[Tensor, "batch width"],
    b: Float[Tensor, "batch width"],
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 200.0,
) -> Float[Tensor, ""]:
    """``invariance MSE + variance sum_v hinge + covariance sum_v mean_ij R_ij^2``, R without its diagonal. Collective.

    R is the correlation matrix: centred columns of unit length multiplied with each other, so its entries do not depend on
    the scale of z. The variance term is the sum over the views, not halved.

    Parameters
    ----------
    a, b
        z of two views of the same images; the recipe's projector ends in IterNorm.
    invariance, variance, covariance
        Weights.

    Raises
    ------
    ConfigError
        The shapes differ, or there is one image only.
    """
    check_views("vibcreg", a, b)
    loss = invariance * mean_over_processes(functional.mse_loss(a, b))
    for z in (gather(a), gather(b)):
        centred = z - z.mean(0)
        correlated = functional.normalize(centred, dim=0)
        off_diagonal = product_moments(correlated, correlated).off_diagonal / z.shape[1] ** 2
        loss = loss + variance * hinge(centred.square().sum(0) / (len(z) - 1)) + covariance * off_diagonal
    return loss
