"""The LP relaxation of local branching, kept in memory between iterations (docs/papers/lb_relax.md#3.9)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError, SolverFailure
from runs.record.checkpoint import State
from solvers.lns.ball.base import Ball, BallResult, Basis
from solvers.lns.ball.explicit import ExplicitBall
from solvers.lns.ball.generation import binding_rows, solve_by_generation
from solvers.lns.ball.multiplier import MultiplierBall
from solvers.lns.distance import Distance, distance_row, measured
from solvers.lns.state import SearchState
from solvers.milp.lp import ALGORITHMS

_MESSAGES = logging.getLogger(__name__)

REUSE_GROWTH = 1.2
"""With ``reuse``, xbar is kept until k has grown by this factor."""

FAR = 32
"""Incumbents that differ in more variables are solved for afresh: seconds by primal simplex from the old basis and by a
cold interior point were 4.3 and 2.1 for 92 flips, .07 and .19 for 13 (independent sets, 6000 and 1500 nodes)."""

MANY_ROWS = 10
"""Rows per variable from which generation pays. CPU seconds with all and with generated rows, cold and after a long move:
vertex cover 1000 x 65,100 .68 and .12, .74 and .13; independent sets 6000 x 24,193 1.1 and .9, 1.1 and 1.7; auctions
4000 x 2749 .7 and 4.6, .1 and .1."""

BALLS: dict[str, type[Ball]] = {"explicit": ExplicitBall, "multiplier": MultiplierBall}
"""Values of ``distance_row``."""


@dataclass(frozen=True)
class Relaxation:
    """xbar: an optimal solution of the LP relaxation of local branching.

    Parameters
    ----------
    x
        (n,) xbar.
    objective
        Its value, a lower bound on every assignment within distance ``k`` of ``incumbent``.
    reduced_costs
        (n,) of the vertex, the distance priced in.
    incumbent
        (n,) the centre of the ball.
    k
        Its radius.
    """

    x: np.ndarray
    objective: float
    reduced_costs: np.ndarray
    incumbent: np.ndarray
    k: int


class LocalBranchingLP:
    """Solves ``min c x`` over the LP relaxation and ``distance(x, incumbent) <= k``, again and again.

    Each solve starts from the vertex of the solve before. Its basis is handed over explicitly, so that a search resumed
    from a checkpoint sees the same vertices.

    Parameters
    ----------
    reuse
        Keep xbar until the incumbent moves or k has grown by 20 % (xbar of a smaller ball proves nothing about k).
        The LP of an equal incumbent and k is never solved twice, reuse or not.
    algorithm
        ``auto``: warm dual simplex where only k changed, warm primal simplex where the incumbent moved a little, interior
        point at first and after long moves; or one of :data:`solvers.milp.lp.ALGORITHMS` for every solve.
    crossover
        False: interior point without crossover, always cold; xbar lies inside the optimal face.
    seconds
        Limit of one LP; without an answer the iteration counts as not improved.
    distance
        What is measured, see :func:`solvers.lns.distance.measured`.
    rows
        ``all``: one model of all rows, kept between solves. ``generated``: a small one from the rows that are tight at the
        incumbent or were in the last basis, and those found violated (:mod:`solvers.lns.ball.generation`). ``auto``:
        generated where rows outnumber variables by more than :data:`MANY_ROWS`.
    distance_row
        ``explicit``, or ``multiplier``: the dense row is priced instead (:mod:`solvers.lns.ball.multiplier`); the same
        bound, but another point of the optimal face, so other Deltas.

    Raises
    ------
    ConfigError
        A setting is outside its range, or the multiplier is asked to work without vertices.
    """

    def __init__(
        self,
        reuse: bool = False,
        algorithm: str = "auto",
        crossover: bool = True,
        seconds: float = 300.0,
        distance: Distance = "binary",
        rows: Literal["auto", "all", "generated"] = "auto",
        distance_row: Literal["explicit", "multiplier"] = "explicit",
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise ConfigError(f"lp.algorithm is '{algorithm}'; choose one of {', '.join(ALGORITHMS)}")
        if not seconds > 0:
            raise ConfigError(f"lp.seconds is {seconds}; it must be > 0")
        if rows not in ("auto", "all", "generated"):
            raise ConfigError(f"lp.rows is '{rows}'; choose 'auto', 'all' or 'generated'")
        if distance_row not in BALLS:
            raise ConfigError(f"lp.distance_row is '{distance_row}'; choose one of {', '.join(BALLS)}")
        if distance_row == "multiplier" and (not crossover or algorithm == "pdlp"):
            raise ConfigError(
                "lp.distance_row: multiplier combines two vertices; set lp.crossover: true and an algorithm other than pdlp"
            )
        self.reuse = reuse
        self.algorithm = algorithm
        self.crossover = crossover
        self.seconds = seconds
        self.distance = distance
        self.rows = rows
        self.distance_row = distance_row

    def prepare(self, problem: ILP) -> None:
        """Forget earlier problems; the LP is built at the first :meth:`relax`.

        Raises
        ------
        ConfigError
            The problem has no binary variable that the distance could count, or the multiplier would price one without
            bounds.
        """
        self.counted = measured(problem, self.distance)
        if self.distance_row == "multiplier" and not np.isfinite((problem.ub - problem.lb)[self.counted]).all():
            raise ConfigError(f"{problem.name}: lp.distance_row: multiplier needs two finite bounds on what it counts")
        self._ball: Ball | None = None
        self._last: Relaxation | None = None
        self._basis: Basis | None = None
        self._price = 0.0

    def memory(self) -> State:
        """The last xbar, what it belongs to, and the basis and the multiplier it left."""
        if self._last is None:
            return {}
        last = self._last
        arrays = {"x": last.x, "value": np.array(last.objective), "reduced_costs": last.reduced_costs}
        arrays |= {"centre": last.incumbent, "radius": np.array(last.k), "price": np.array(self._price)}
        if self._basis is not None:
            arrays["basis_columns"], arrays["basis_rows"] = self._basis.columns, self._basis.rows
            arrays["basis_distance"] = np.array(self._basis.distance)
        return arrays

    def restore(self, memory: State) -> None:
        """Take up :meth:`memory`."""
        if memory:
            value, radius = float(memory["value"]), int(memory["radius"])
            self._last = Relaxation(memory["x"], value, memory["reduced_costs"], memory["centre"], radius)
            self._price = float(memory["price"])
            if "basis_columns" in memory:
                distance = int(memory["basis_distance"])
                self._basis = Basis(memory["basis_columns"], memory["basis_rows"], distance)

    def relax(self, state: SearchState, k: int) -> Relaxation | None:
        """xbar for the incumbent and ``k``; None if the LP is unbounded, was not solved in time, or HiGHS failed on it."""
        moved = self._moved(state)
        if self._last is not None and not moved and self._last.k <= k <= self._reach(self._last.k):
            return self._last
        seconds = min(self.seconds, state.remaining_seconds)
        try:
            result = self._solve(state, k, self._algorithm(moved), seconds)
            x, reduced = result.x, result.reduced_costs
        except SolverFailure as failure:
            _MESSAGES.warning("%s: no LP relaxation of local branching with k = %d: %s", state.problem.name, k, failure)
            self._ball, x, reduced = None, None, None
        if x is None or reduced is None:
            self._last, self._basis, self._price = None, None, 0.0  # what memory() says of it
            return None
        self._last = Relaxation(x, state.problem.objective(x), reduced, state.incumbent, k)
        return self._last

    def _moved(self, state: SearchState) -> int:
        """In how many variables the incumbent differs from that of the last LP."""
        if self._last is None:
            return len(state.candidates)
        return int((self._last.incumbent != state.incumbent)[state.candidates].sum())

    def _algorithm(self, moved: int) -> str:
        if not self.crossover:
            return "ipm"
        if self.algorithm != "auto":
            return self.algorithm
        if self._basis is None or moved > FAR:
            return "ipm"
        return "primal_simplex" if moved else "dual_simplex"

    def _reach(self, k: int) -> float:
        return np.nextafter(REUSE_GROWTH * k, 0) if self.reuse else k

    def _solve(self, state: SearchState, k: int, algorithm: str, seconds: float) -> BallResult:
        ball = self._centred(state)

        def solve(algorithm: str, seconds: float) -> BallResult:
            return ball.solve(k, algorithm, self.crossover, seconds)

        generated = self._generates(state.problem)
        result = solve_by_generation(ball, solve, algorithm, seconds) if generated else solve(algorithm, seconds)
        self._basis = ball.basis
        self._price = ball.price
        return result

    def _generates(self, problem: ILP) -> bool:
        return self.rows == "generated" or (self.rows == "auto" and problem.m > MANY_ROWS * problem.n)

    def _centred(self, state: SearchState) -> Ball:
        """The model of this ball: the kept one, or with ``generated`` rows one made anew of the few.

        A model made anew depends on nothing but what :meth:`memory` holds.
        """
        problem = state.problem
        if self._generates(problem):
            rows = binding_rows(problem, state.incumbent, self._basis)
            self._ball = BALLS[self.distance_row](problem, rows)
        elif self._ball is None:
            self._ball = BALLS[self.distance_row](problem, np.arange(problem.m))
        self._ball.basis, self._ball.price = self._basis, self._price
        self._ball.center(*distance_row(problem, state.incumbent, self.counted), state.incumbent)
        return self._ball
