"""Any integer program as a linear oracle: a kept model whose costs change (docs/papers/surco.md#3.8)."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from data.ilp.problem import ILP
from runs import interrupt
from runs.errors import InvalidProblem, SolverFailure, require
from solvers.base import Status
from solvers.differentiable.oracle import LinearOracle, Vertices
from solvers.differentiable.polytope import polytope
from solvers.milp.highs_model import AMBIGUOUS, meaning, pass_model, quiet_highs, set_option

FEASIBLE = 2
"""What HiGHS calls a feasible primal solution."""


class MilpOracle(LinearOracle):
    """argmin of c'x over an integer program by HiGHS, one thread.

    The model of a problem is built once and kept; each solve starts anew, with costs scaled to a largest magnitude of 1, so
    that ties break alike whatever was solved before.

    Parameters
    ----------
    seconds
        Limit of one solve; None: none.
    nodes
        Limit of one solve in branch-and-bound nodes, which is the same on every machine; None: none.
    settings
        Further HiGHS options by name.
    """

    def __init__(
        self, seconds: float | None = None, nodes: int | None = None, settings: dict[str, Any] | None = None
    ) -> None:
        self.seconds, self.nodes, self.settings = seconds, nodes, dict(settings or {})
        self._models: weakref.WeakKeyDictionary[ILP, _Kept] = weakref.WeakKeyDictionary()

    def check(self, problem: Any) -> None:
        program = polytope(problem)
        self._kept(program).solve(np.zeros(program.n))

    def solve(self, costs: Float[np.ndarray, "batch variables"], problem: Any) -> Vertices:
        """The cheapest point for each row; at a limit the best that was found, which is then not exact.

        Raises
        ------
        InvalidProblem
            No point is feasible, or costs fall without bound.
        SolverFailure
            The limit, or a signal, came before a feasible point, or HiGHS failed.
        """
        program = polytope(problem)
        kept = self._kept(program)
        answers = [kept.solve(row) for row in costs]
        x = np.array([answer for answer, _ in answers]).reshape(costs.shape)
        return Vertices(x, np.array([exact for _, exact in answers], bool))

    def _kept(self, program: ILP) -> _Kept:
        if program not in self._models:
            self._models[program] = _Kept(program, self.seconds, self.nodes, self.settings)
        return self._models[program]


class _Kept:
    """The model of one program; it does not hold the program, whose death ends it."""

    def __init__(self, program: ILP, seconds: float | None, nodes: int | None, settings: dict[str, Any]) -> None:
        self._highspy = highspy = require("highspy", "solvers")
        self._highs = quiet_highs()
        self._name, self._integer, self._seconds = program.name, program.integer, seconds
        self._columns = np.arange(program.n, dtype=np.int32)
        options: dict[str, Any] = {"threads": 1, "parallel": "off", "mip_rel_gap": 0.0, "mip_abs_gap": 1e-9}
        options |= {} if seconds is None else {"time_limit": seconds}
        options |= {} if nodes is None else {"mip_max_nodes": nodes}
        for key, value in (options | settings).items():
            set_option(self._highs, key, value)
        pass_model(highspy, self._highs, replace(program, c=np.zeros(program.n), maximize=False, offset=0.0))
        for event in (self._highs.cbMipInterrupt, self._highs.cbSimplexInterrupt, self._highs.cbIpmInterrupt):
            event.subscribe(_stop_on_signal)

    def solve(self, costs: Float[np.ndarray, " variables"]) -> tuple[Float[np.ndarray, " variables"], bool]:
        largest = np.abs(costs).max(initial=0.0)
        highs = self._highs
        highs.changeColsCost(len(self._columns), self._columns, costs / (largest or 1.0))
        highs.clearSolver()
        if self._seconds is not None and not self._integer.any():  # LPs compare it with a clock that adds up
            set_option(highs, "time_limit", highs.getRunTime() + self._seconds)
        with interrupt.watch():
            if highs.run() == self._highspy.HighsStatus.kError:
                raise SolverFailure(f"{self._name}: HiGHS failed; its status is {highs.getModelStatus().name}")
        found = highs.getModelStatus()
        if found.name == AMBIGUOUS:
            status = Status.UNBOUNDED if largest and self.solve(0 * costs) else Status.INFEASIBLE
        else:
            status = meaning(found)
        if status == Status.INFEASIBLE:
            raise InvalidProblem(f"{self._name}: no point is feasible")
        if status == Status.UNBOUNDED:
            raise InvalidProblem(f"{self._name}: costs fall without bound; give the variables bounds")
        if highs.getInfo().primal_solution_status != FEASIBLE:
            raise SolverFailure(
                f"{self._name}: HiGHS found no feasible point within its limit (oracle.seconds, oracle.nodes)"
            )
        x = np.array(highs.getSolution().col_value)
        return np.where(self._integer, np.rint(x), x) + 0.0, status == Status.OPTIMAL


def _stop_on_signal(event: Any) -> None:
    if interrupt.requested():
        event.interrupt()
