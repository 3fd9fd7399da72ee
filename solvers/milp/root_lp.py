"""The root LP relaxation, solved once to a vertex with its basis (HiGHS)."""

from __future__ import annotations

import time

from data.ilp.problem import ILP
from data.ilp.root_lp import RootLP
from runs.errors import ConfigError, InvalidProblem, SolverFailure
from solvers.base import Status
from solvers.milp.lp import LPUnfinished, PersistentLP


def solve_root_lp(problem: ILP, seconds: float | None = None, algorithm: str = "auto") -> RootLP:
    """Solve the LP relaxation of ``problem`` as it stands: no presolve of the ILP, no cuts.

    Parameters
    ----------
    problem
        A minimisation (``problem.to_min()``).
    seconds
        Wall-clock limit; None or inf for none.
    algorithm
        One of :data:`solvers.milp.lp.ALGORITHMS` that ends in a vertex; ``auto`` is interior point with crossover.

    Raises
    ------
    InvalidProblem
        The relaxation is infeasible or unbounded, or the problem is a maximisation or has no variables.
    LPUnfinished
        No vertex within ``seconds``, or a signal came.
    SolverFailure
        HiGHS broke down.
    ConfigError
        Unknown algorithm, or one that leaves no basis (``pdlp``).
    """
    if algorithm == "pdlp":
        raise ConfigError("lp.algorithm is 'pdlp', which ends without a basis; choose auto, ipm or a simplex")
    if problem.n == 0:
        raise InvalidProblem(f"{problem.name}: there are no variables, so there is no LP to solve")
    began = time.monotonic()
    lp = PersistentLP(problem)
    result = lp.solve(algorithm, seconds=seconds)
    if result.status == Status.INFEASIBLE:
        raise InvalidProblem(f"{problem.name}: the LP relaxation is infeasible, so the problem has no solution")
    if result.status == Status.UNBOUNDED:
        raise InvalidProblem(
            f"{problem.name}: the LP relaxation is unbounded; give finite bounds to the variables that improve for ever"
        )
    if result.status == Status.INTERRUPTED:
        raise LPUnfinished(f"{problem.name}: a signal stopped the root LP")
    basis, spent = lp.basis(), time.monotonic() - began
    if result.x is None or result.duals is None or result.reduced_costs is None or basis is None:
        size = f"{problem.n} variables, {problem.m} rows"
        if seconds is None or spent < seconds:
            raise SolverFailure(
                f"{problem.name}: HiGHS {algorithm} gave the root LP ({size}) up; try another algorithm"
            )
        raise LPUnfinished(
            f"{problem.name}: no vertex of the root LP ({size}) within {seconds} s; "
            "give it more seconds or another lp algorithm"
        )
    return RootLP(result.x, result.duals, result.reduced_costs, *basis, result.objective, spent)
