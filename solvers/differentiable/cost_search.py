"""Searches without a gradient on the costs, through the same oracle (docs/papers/surco.md#3.9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from runs import interrupt
from runs.errors import SolverFailure
from runs.record.checkpoint import Checkpoint, State, prefixed, under
from solvers.base import BrokenOff, Budget, Meter, Solution
from solvers.differentiable.best import BestVertex
from solvers.differentiable.calls import OracleCalls
from solvers.differentiable.oracle import LinearOracle
from solvers.differentiable.parametrisation import Direct, Parametrisation
from solvers.differentiable.relaxed import Relaxed, relaxation
from solvers.differentiable.start import given
from solvers.gradient_free.method import Method
from solvers.gradient_free.search import GradientFreeSearch
from solvers.gradient_free.space import Objective, Point
from solvers.gradient_free.vectors import Vectors

COLUMNS = ("value", "oracle_calls", "inexact", "hamming")
"""Of the log, a row per query: as those of a descent."""


class CostSearch:
    """Any gradient-free method over the latents of costs; an evaluation is a query of f.

    With random search these are *random costs*: what every descent must beat at equal queries.

    Parameters
    ----------
    method
        How it searches.
    oracle, parametrisation, relax, target
        As of :class:`solvers.differentiable.descent.ZeroDescent`.
    mean, deviation
        Of the latents: where samples are drawn, and the scale of changes.
    uniform
        Whether samples are uniform between ``mean`` -+ ``deviation``, and nothing lies outside; else normal.
    """

    def __init__(
        self,
        method: Method,
        oracle: LinearOracle,
        parametrisation: Parametrisation | None = None,
        mean: float = 0.0,
        deviation: float = 1.0,
        uniform: bool = False,
        relax: Callable[[Any], Relaxed] | None = None,
        target: float | None = None,
    ) -> None:
        self.method, self.oracle, self.relax, self.target = method, oracle, relax, target
        self.parametrisation = parametrisation or Direct()
        self.mean, self.deviation, self.uniform = mean, deviation, uniform

    def space(self, length: int) -> Vectors:
        """Where the latents lie."""
        if self.uniform:
            return Vectors.box(self.mean - self.deviation, self.mean + self.deviation, length)
        return Vectors(length, self.mean, self.deviation)

    def solve(
        self,
        problem: Any,
        *,
        budget: Budget,
        scorer: object = None,
        initial: Float[np.ndarray, " variables"] | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Search from a sample, or from ``initial``, which are costs.

        Raises
        ------
        InvalidProblem
            The problem is no relaxed one, or has no feasible point.
        BrokenOff, SolverFailure
            With and without a solution: f is not finite, the oracle failed or its answer is not feasible.
        """
        relaxed = relaxation(problem, self.relax)
        self.oracle.check(problem)
        best = BestVertex(problem, relaxed, budget, self.target, type(self.oracle).__name__)
        objective = _ThroughOracle(best, OracleCalls(self.oracle, problem), self.parametrisation)
        space = self.space(self.parametrisation.latents(relaxed.variables, problem))
        search = GradientFreeSearch(space, objective, self.method, budget, rng)
        first = None if initial is None else given(initial, relaxed.variables, "initial")
        try:
            search.run(None if first is None else self.parametrisation.latent(first, problem), checkpoint)
        except SolverFailure as failure:
            if interrupt.requested():
                return objective.solution(interrupted=True)
            if best.x is None:
                raise
            raise BrokenOff(str(failure), objective.solution(interrupted=False)) from failure
        return objective.solution()


class _ThroughOracle(Objective):
    """f of the oracle's answer to the costs of a latent."""

    def __init__(self, best: BestVertex, oracle: OracleCalls, parametrisation: Parametrisation) -> None:
        self.best, self.oracle, self.parametrisation = best, oracle, parametrisation
        self.log: dict[str, list[float]] = {name: [] for name in COLUMNS}
        self._x: Float[np.ndarray, " variables"] | None = None

    @property
    def solved(self) -> bool:  # type: ignore[override]
        """Whether the best is good enough."""
        return self.best.solved

    def values(self, points: Sequence[Point], meter: Meter) -> Float[np.ndarray, " points"]:
        self.best.meter = meter
        before = self.oracle.inexact
        costs = self.parametrisation.costs(np.array(points), self.oracle.problem)
        x = self.oracle(costs)
        if self.oracle.inexact > before and interrupt.requested():
            raise SolverFailure("a signal cut the oracle short")
        values = self.best.values(x, costs)
        inexact = (self.oracle.inexact - before) / len(x)
        for row, value in zip(x, values.tolist(), strict=True):
            hamming = 0 if self._x is None else np.count_nonzero(row != self._x)
            for name, number in zip(COLUMNS, (value, 1, inexact, hamming), strict=True):
                self.log[name].append(float(number))
            self._x = row
        return values

    def solution(self, interrupted: bool | None = None) -> Solution:
        return self.best.solution({name: np.array(column) for name, column in self.log.items()}, interrupted)

    def memory(self) -> State:
        log = prefixed("log/", {name: np.array(column) for name, column in self.log.items()})
        return prefixed("best/", self.best.memory()) | log | ({} if self._x is None else {"x": self._x})

    def restore(self, memory: State) -> None:
        self.best.restore(under("best/", memory))
        self._x = memory.get("x")
        self.log = {name: column.tolist() for name, column in under("log/", memory).items()}
