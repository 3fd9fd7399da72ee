"""VICReg: variance, invariance, covariance (Bardes et al., 2022, equations 1 to 6)."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_views
from models.ssl.parts.losses.frobenius import product_moments
from models.ssl.parts.state.gather import gather
from models.ssl.parts.state.reduce import mean_over_processes

EPSILON = 1e-4


class VicregTerms(NamedTuple):
    """The unweighted terms.

    Parameters
    ----------
    invariance
        Mean squared difference of the views.
    variance
        Sum over the views of ``mean_d relu(1 - sqrt(var_d + 1e-4))``.
    covariance
        Sum over the views of ``sum_{i != j} C_ij^2 / D``.
    """

    invariance: Float[Tensor, ""]
    variance: Float[Tensor, ""]
    covariance: Float[Tensor, ""]


@full_precision
def vicreg(
    a: Float[Tensor, "batch width"],
    b: Float[Tensor, "batch width"],
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    halved: bool = True,
) -> Float[Tensor, ""]:
    """The three terms of ``vicreg_terms``, weighted. Collective.

    Parameters
    ----------
    a, b
        z of two views of the same images.
    invariance, variance, covariance
        Weights.
    halved
        Half the weight of the variance term, as its authors have it: its mean over the views. Some libraries take the sum.

    Raises
    ------
    ConfigError
        The shapes differ, or there is one image only.
    """
    terms = vicreg_terms(a, b)
    weight = variance / 2 if halved else variance
    return invariance * terms.invariance + weight * terms.variance + covariance * terms.covariance


@full_precision
def vicreg_terms(a: Float[Tensor, "batch width"], b: Float[Tensor, "batch width"]) -> VicregTerms:
    """Invariance, variance and covariance with unbiased moments over the rows of all processes. Collective.

    Raises
    ------
    ConfigError
        The shapes differ, or there is one image only.
    """
    check_views("vicreg", a, b)
    invariance = mean_over_processes(functional.mse_loss(a, b))
    (hinge_a, covariance_a), (hinge_b, covariance_b) = _moments(gather(a)), _moments(gather(b))
    return VicregTerms(invariance, hinge_a + hinge_b, covariance_a + covariance_b)


def _moments(z: Tensor) -> tuple[Tensor, Tensor]:
    """The variance and the covariance term of a view."""
    rows, width = z.shape
    centred = z - z.mean(0)
    moments = product_moments(centred, centred)
    return hinge(moments.diagonal / (rows - 1)), moments.off_diagonal / (rows - 1) ** 2 / width


def hinge(variance: Float[Tensor, " width"]) -> Float[Tensor, ""]:
    """``mean_d relu(1 - sqrt(var_d + 1e-4))``."""
    return functional.relu(1 - (variance + EPSILON).sqrt()).mean()
