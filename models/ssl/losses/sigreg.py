"""Sketched isotropic Gaussian regularisation, the regulariser of LeJEPA (Balestriero and LeCun, 2025)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.ssl.losses.checks import check_positive, check_views
from models.ssl.precision import full_precision
from models.ssl.state.gather import processes
from models.ssl.state.reduce import mean_over_processes
from runs.errors import ConfigError


@full_precision
def sigreg(
    z: Float[Tensor, "*views batch width"],
    slices: int = 1024,
    knots: int = 17,
    limit: float = 3.0,
    directions: Float[Tensor, "width slices"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over views and directions u of the Epps-Pulley statistic of ``z u`` against the standard normal. Collective.

    ``B int |mean_n exp(i t z_n u) - exp(-t^2/2)|^2 exp(-t^2/2) dt`` over [-limit, limit], by the trapezoidal rule on
    ``knots`` points of [0, limit], since the integrand is even.

    Parameters
    ----------
    z
        Embeddings, not normalised; views are judged one by one.
    slices
        Number of directions, drawn uniformly from torch's generator, whose state must be the same on all processes.
    knots
        Points of the rule, at least 2.
    limit
        Largest frequency t.
    directions
        Unit columns to use instead of random ones.

    Raises
    ------
    ConfigError
        ``slices`` or ``limit`` is not positive, or there are fewer than 2 knots.
    """
    check_positive("sigreg", slices=slices, limit=limit)
    if knots < 2:
        raise ConfigError(f"knots of sigreg is {knots}; an integral needs at least 2")
    check_views("sigreg", z.flatten(0, -2))
    if directions is None:
        directions = functional.normalize(torch.randn(z.shape[-1], slices), dim=0).to(z)
    # At t = 0 both characteristic functions are 1.
    t = torch.linspace(0, limit, knots, dtype=z.dtype, device=z.device)[1:]
    normal = (-t.square() / 2).exp()
    weight = normal * (2 * limit / (knots - 1))
    weight[-1] /= 2
    phase = (z @ directions)[..., None] * t
    moments = mean_over_processes(torch.stack([phase.cos().mean(-3), phase.sin().mean(-3)]))
    statistic = ((moments[0] - normal).square() + moments[1].square()) @ weight
    return z.shape[-2] * processes() * statistic.mean()
