"""The relaxed program as a layer: a fractional answer with its exact derivative (docs/papers/surco.md#3.2)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from solvers.differentiable.layer import rows_of
from solvers.differentiable.regularised_lp import RegularisedLP


class RelaxedOracle(torch.nn.Module):
    """argmin of c'x + mu/2 ||x||^2 over the relaxed feasible set of a problem.

    Parameters
    ----------
    mu
        Weight of the quadratic term.
    """

    def __init__(self, mu: float = 1.0) -> None:
        super().__init__()
        self.program = RegularisedLP(mu)

    def forward(self, costs: Float[Tensor, "*batch variables"], problem: Any) -> Float[Tensor, "*batch variables"]:
        """The minimisers, in the type and on the device of ``costs``.

        Raises
        ------
        InvalidProblem, SolverFailure
            As :meth:`solvers.differentiable.regularised_lp.RegularisedLP.solve`.
        """
        answer: Tensor = _Minimiser.apply(costs, self.program, problem)
        return answer


class _Minimiser(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, costs: Tensor, program: RegularisedLP, problem: Any) -> Tensor:
        x, ctx.faces = program.solve(rows_of(costs), problem)
        ctx.program, ctx.problem = program, problem
        return torch.from_numpy(x).reshape(costs.shape).to(costs)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None]:
        (slopes,) = outputs
        gradient = ctx.program.pullback(ctx.faces, rows_of(slopes), ctx.problem)
        return torch.from_numpy(gradient).reshape(slopes.shape).to(slopes), None, None
