"""A problem of one's own in a few lines: an oracle and a cost, or an integer program and a cost (docs/surco.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from data.ilp.formats import files
from data.ilp.priced import PricedProgram
from data.ilp.problem import ILP
from data.queried import Queried
from data.torch_cost import TorchCost
from runs.anytime import Trace
from runs.errors import ConfigError, SolverFailure
from solvers.base import Budget
from solvers.differentiable.descent import ZeroDescent
from solvers.differentiable.oracle import LinearOracle, Vertices
from solvers.differentiable.parametrisation import Direction, Parametrisation
from solvers.differentiable.progress import StandStill
from solvers.differentiable.relaxed import Relaxed
from solvers.differentiable.rules.blackbox_smoothed import BlackboxSmoothed
from solvers.differentiable.rules.interpolation import Largest
from solvers.differentiable.rules.rule import Rule
from solvers.differentiable.start import given
from solvers.differentiable.steps import MakeOptimizer
from solvers.milp.linear_oracle import MilpOracle

FAST: MakeOptimizer = partial(torch.optim.Adam, lr=0.3)
PlainOracle = Callable[[Float[np.ndarray, " variables"]], ArrayLike]
"""From costs c to an x that minimises c'x."""


@dataclass(frozen=True)
class Minimum:
    """What :func:`minimise` found.

    Attributes
    ----------
    x
        (variables,) the best point, as the oracle gave it.
    f
        Its cost.
    c
        (variables,) costs of which x is the oracle's answer.
    trace
        The best f so far over seconds and queries of f.
    log
        A row per step, see :mod:`solvers.differentiable.progress`.
    stopped
        Why it stopped before its budget was spent; empty if it did not.
    """

    x: Float[np.ndarray, " variables"]
    f: float
    c: Float[np.ndarray, " variables"]
    trace: Trace
    log: dict[str, np.ndarray]
    stopped: str = ""


class FunctionOracle(LinearOracle):
    """A user's function as an oracle, one row of costs at a time.

    Parameters
    ----------
    function
        From c (variables,) to x (variables,).
    """

    def __init__(self, function: PlainOracle) -> None:
        self.function = function

    def solve(self, costs: Float[np.ndarray, "batch variables"], problem: Any) -> Vertices:
        """Its answers.

        Raises
        ------
        SolverFailure
            An answer has another length than the costs, or is not finite.
        """
        answers = [np.asarray(self.function(row.copy()), np.float64) for row in costs]
        for answer in answers:
            if answer.shape != costs.shape[1:] or not np.isfinite(answer).all():
                raise SolverFailure(
                    f"the oracle answers {costs.shape[1]} costs with an x of shape {answer.shape}; expected as many "
                    "finite numbers"
                )
        return Vertices(np.stack(answers), np.ones(len(costs), bool))


class OwnProblem:
    """A cost on whatever an oracle answers: a relaxed problem of which nothing else is known.

    Parameters
    ----------
    cost
        Of torch.
    variables
        Length of x.
    feasible
        What x must be, besides whole.
    integer
        (variables,) which are whole; all by default.
    """

    maximize, name = False, "own problem"

    def __init__(
        self,
        cost: Callable[[torch.Tensor], torch.Tensor],
        variables: int,
        feasible: Callable[[Float[np.ndarray, " variables"]], bool] | None = None,
        integer: ArrayLike = True,
    ) -> None:
        self.cost, self.variables, self.feasible = TorchCost(cost), variables, feasible
        self.integer: Bool[np.ndarray, " variables"] = np.broadcast_to(np.asarray(integer, bool), (variables,))

    def query(self, x: Float[np.ndarray, "batch variables"]) -> Queried:
        """Cost and gradient."""
        return self.cost.query(x)

    def assignment(self, x: Float[np.ndarray, " variables"]) -> Float[np.ndarray, " variables"]:
        """x itself."""
        return x

    def objective(self, assignment: Float[np.ndarray, " variables"]) -> float:
        """The cost."""
        return float(self.cost.values(assignment[None])[0])

    def objective_of(self, x: Float[np.ndarray, " variables"], value: float) -> float:
        """The cost, which is known."""
        return value

    def is_feasible(self, assignment: Float[np.ndarray, " variables"]) -> bool:
        """As ``feasible`` says."""
        return self.feasible is None or bool(self.feasible(assignment))


def minimise(
    oracle: PlainOracle | LinearOracle | ILP | str | Path,
    cost: Callable[..., torch.Tensor] | Relaxed,
    *,
    variables: int | None = None,
    start: ArrayLike | None = None,
    queries: int = 200,
    seconds: float | None = None,
    rule: Rule | None = None,
    parametrisation: Parametrisation | None = None,
    optimizer: MakeOptimizer = FAST,
    patience: int | None = None,
    target: float | None = None,
    feasible: Callable[[Float[np.ndarray, " variables"]], bool] | None = None,
    integer: ArrayLike = True,
    seed: int = 0,
) -> Minimum:
    """Steer a solver of linear costs to a point of small cost.

    Parameters
    ----------
    oracle
        A function from costs c to an x that minimises c'x; or an integer program, or the path of its MPS or LP file.
    cost
        A function of torch, from x to a scalar; of x and the program, if it takes two arguments. Or a relaxed problem.
    variables
        Length of x; needed with a function for an oracle, where there is no ``start``.
    start
        (variables,) costs to start from; by default standard normal.
    queries, seconds
        Budget: how often f is asked for, and how long it takes at most.
    rule
        Of the gradient through the oracle; by default central blackbox differences of 4 noisy copies, whose costs move by
        2 at most.
    parametrisation
        Of the costs; by default their direction counts alone. ``Sigmoid`` where an oracle takes no negative costs.
    optimizer, patience, target
        By default Adam with rate .3; as of :class:`solvers.differentiable.descent.ZeroDescent`.
    feasible, integer
        What is checked of the answers of a function: any condition, and which variables are whole.
    seed
        Of start and noise: the same seed gives the same answer.

    Raises
    ------
    ConfigError
        The number of variables is not known, or the start does not fit.
    InvalidProblem
        The cost has no gradient, or nothing is feasible.
    SolverFailure
        f or its gradient is not finite, or an answer of the oracle is not feasible.
    """
    first = None if start is None else np.asarray(start, np.float64)
    solver, problem = _posed(
        oracle, cost, len(first) if variables is None and first is not None else variables, feasible, integer
    )
    descent = ZeroDescent(
        solver,
        rule or BlackboxSmoothed(Largest(2.0), copies=4, central=True),
        parametrisation or Direction(),
        optimizer=optimizer,
        patience=patience,
        target=target,
    )
    begin = None if first is None else given(first, problem.variables, "start")
    budget = Budget(seconds, queries)
    run = descent.descend(problem, budget, None, begin, np.random.default_rng(seed))
    stopped = str(run.failure or "")
    if isinstance(run.failure, StandStill):
        run.failure = None
    solution = run.solution()
    if run.best.x is None or run.best.costs is None:
        raise SolverFailure(f"{problem.name}: the budget ended before the first query; give it more")
    return Minimum(run.best.x, run.best.value, run.best.costs, solution.trace, solution.log, stopped)


def _posed(
    oracle: PlainOracle | LinearOracle | ILP | str | Path,
    cost: Callable[..., torch.Tensor] | Relaxed,
    variables: int | None,
    feasible: Callable[[Float[np.ndarray, " variables"]], bool] | None,
    integer: ArrayLike,
) -> tuple[LinearOracle, Any]:
    """The oracle, and the problem that it solves."""
    if isinstance(oracle, str | Path | ILP):
        program = oracle if isinstance(oracle, ILP) else files.read(Path(oracle))
        if isinstance(cost, Relaxed):
            raise ConfigError("minimise: with an integer program the cost is a function of torch")
        return MilpOracle(), PricedProgram(program.validate(), cost)
    solver = oracle if isinstance(oracle, LinearOracle) else FunctionOracle(oracle)
    if isinstance(cost, Relaxed):
        return solver, cost
    if variables is None:
        raise ConfigError("minimise: say how long x is, by variables=... or by costs to start from, start=...")
    return solver, OwnProblem(cost, variables, feasible, integer)
