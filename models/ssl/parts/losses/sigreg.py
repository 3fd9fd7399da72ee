"""Sketched isotropic Gaussian regularisation, the regulariser of LeJEPA (Balestriero and LeCun, 2025)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.losses.checks import check_positive, check_views
from models.ssl.parts.state.gather import processes
from models.ssl.parts.state.reduce import mean_over_processes
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
    step = limit / (knots - 1)
    # At t = 0 both characteristic functions are 1.
    t = step * torch.arange(1, knots, dtype=z.dtype, device=z.device)
    normal = (-t.square() / 2).exp()
    weight = 2 * step * normal
    weight[-1] /= 2
    real, imaginary = mean_over_processes(_Characteristic.apply(z @ directions, step, knots - 1))
    statistic = weight @ ((real - normal[:, None]).square() + imaginary.square())
    return z.shape[-2] * processes() * statistic.mean()


class _Characteristic(torch.autograd.Function):
    """(2, knots, others) means of cos and sin of ``t x`` over the rows of x (*views, rows, slices) at t = step, 2 step, ...

    The sums of angles give each frequency from the one before, forward and again backward, so nothing of the size of
    x times knots is stored.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: float, knots: int) -> Tensor:
        first = torch.polar(torch.ones_like(x), step * x)
        ctx.save_for_backward(first)
        ctx.step, ctx.knots = step, knots
        power, moments = first, []
        for k in range(knots):
            power = power * first if k else first
            moments.append(power.mean(-2).flatten())
        means = torch.stack(moments)
        return torch.stack([means.real, means.imag])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (first,) = ctx.saved_tensors
        *views, rows, slices = first.shape
        # The derivative of Re(conj(g) e^{itx}) is t Im(g conj(e^{itx})).
        of_means = torch.complex(*gradient).view(ctx.knots, *views, 1, slices) * (ctx.step / rows)
        power, total = first, torch.zeros_like(first.real)
        for k in range(ctx.knots):
            power = power * first if k else first
            total += (k + 1) * (of_means[k] * power.conj()).imag
        return total, None, None
