"""An oracle as a layer of a network: g(c) forward, a rule backward (docs/papers/surco.md#3.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.oracle import LinearOracle
from solvers.differentiable.rules.rule import Rule


class DifferentiableOracle(torch.nn.Module):
    """argmin of c'x whose gradient is what a rule says.

    Attributes
    ----------
    calls
        Oracle calls so far, those of backward passes included.
    inexact
        Answers among them that the oracle did not know to be cheapest: a gradient that rests on them is a guess.

    Parameters
    ----------
    oracle, rule
        What is solved, and how it is differentiated.
    seed
        Of the noise of rules that draw. How many batches were seen is part of the module's state, so that a training that
        is resumed draws on.
    """

    drawn: Tensor

    def __init__(self, oracle: LinearOracle, rule: Rule, seed: int = 0) -> None:
        super().__init__()
        self.oracle, self.rule, self.seed = oracle, rule, seed
        self.calls = self.inexact = 0
        self.register_buffer("drawn", torch.zeros((), dtype=torch.int64))

    def forward(self, costs: Float[Tensor, "*batch variables"], problem: Any) -> Float[Tensor, "*batch variables"]:
        """The cheapest feasible points of ``problem``, in the type and on the device of ``costs``.

        Raises
        ------
        InvalidProblem, SolverFailure
            As :meth:`solvers.differentiable.oracle.LinearOracle.solve`, also in the backward pass.
        """
        batch = int(self.drawn)
        self.drawn += 1
        answer: Tensor = _Argmin.apply(costs, self, problem, batch)
        return answer

    def count(self, asked: OracleCalls) -> None:
        """Add what was asked."""
        self.calls += asked.calls
        self.inexact += asked.inexact


class _Argmin(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, costs: Tensor, layer: DifferentiableOracle, problem: Any, batch: int) -> Tensor:
        asked = OracleCalls(layer.oracle, problem)
        rows = rows_of(costs)
        x = asked(rows)
        layer.count(asked)
        ctx.layer, ctx.problem, ctx.batch, ctx.rows, ctx.x = layer, problem, batch, rows, x
        return torch.from_numpy(x).reshape(costs.shape).to(costs)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None, None]:
        (slopes,) = outputs
        asked = OracleCalls(ctx.layer.oracle, ctx.problem)
        rngs = [np.random.default_rng([ctx.layer.seed, ctx.batch, row]) for row in range(len(ctx.rows))]
        gradient = ctx.layer.rule.gradient(ctx.rows, ctx.x, rows_of(slopes), asked, rngs)
        ctx.layer.count(asked)
        return torch.from_numpy(gradient).reshape(slopes.shape).to(slopes), None, None, None


def rows_of(tensor: Tensor) -> Float[np.ndarray, "batch variables"]:
    """A tensor of costs as rows of doubles on the host."""
    array = tensor.detach().to("cpu", torch.float64).numpy()
    return np.ascontiguousarray(array.reshape(-1, array.shape[-1]))
