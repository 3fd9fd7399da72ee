"""f of the oracle's answer to predicted costs, as a function of torch (docs/papers/surco.md#3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from solvers.differentiable.layer import DifferentiableOracle
from solvers.differentiable.oracle import LinearOracle
from solvers.differentiable.parametrisation import Direct, Parametrisation
from solvers.differentiable.relaxed import Relaxed, relaxation
from solvers.differentiable.rules.rule import Rule


class SurrogateCost(torch.nn.Module):
    """f(g(c(latent))) of an instance, differentiable in the latent; each call is a query of f.

    Parameters
    ----------
    oracle, rule
        g, and the gradient through it.
    parametrisation
        From latents to costs; by default they are the same.
    relax
        From the problem to its :class:`~solvers.differentiable.relaxed.Relaxed`, where it is none itself.
    seed
        Of the noise of rules that draw.
    """

    def __init__(
        self,
        oracle: LinearOracle,
        rule: Rule,
        parametrisation: Parametrisation | None = None,
        relax: Callable[[Any], Relaxed] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.layer = DifferentiableOracle(oracle, rule, seed)
        self.parametrisation, self.relax = parametrisation or Direct(), relax

    def costs(self, latent: Float[Tensor, " latents"], problem: Any) -> Float[Tensor, " variables"]:
        """c."""
        found: Tensor = _Costs.apply(latent, self.parametrisation, problem)
        return found

    def of_costs(self, costs: Float[Tensor, " variables"], problem: Any) -> Float[Tensor, ""]:
        """f(g(c))."""
        found: Tensor = _Query.apply(self.layer(costs, problem), self.relaxed(problem))
        return found

    def relaxed(self, problem: Any) -> Relaxed:
        """The problem with its cost."""
        return relaxation(problem, self.relax)

    def forward(self, latent: Float[Tensor, " latents"], problem: Any) -> Float[Tensor, ""]:
        return self.of_costs(self.costs(latent, problem), problem)

    @torch.no_grad()
    def value(self, latent: Float[Tensor, " latents"], problem: Any) -> float:
        """f without a gradient."""
        return float(self(latent, problem))


class _Costs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, latent: Tensor, parametrisation: Parametrisation, problem: Any) -> Tensor:
        array = latent.detach().to("cpu", torch.float64).numpy()
        ctx.of = array, parametrisation, problem
        return torch.from_numpy(parametrisation.costs(array, problem)).to(latent.device)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None]:
        (slopes,) = outputs
        latent, parametrisation, problem = ctx.of
        gradient = parametrisation.pullback(latent, slopes.to("cpu", torch.float64).numpy(), problem)
        return torch.from_numpy(gradient).to(slopes.device), None, None


class _Query(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, relaxed: Relaxed) -> Tensor:
        values, gradients = relaxed.query(x.detach().to("cpu", torch.float64).numpy()[None])
        ctx.gradient = torch.from_numpy(np.array(gradients[0], np.float64)).to(x)
        return torch.tensor(float(values[0]), dtype=x.dtype, device=x.device)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None]:
        (slope,) = outputs
        return slope * ctx.gradient, None
