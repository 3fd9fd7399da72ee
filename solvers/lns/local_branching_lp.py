"""The LP relaxation of local branching, kept in memory between iterations (section 8 of the LB-RELAX page)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.ilp.problem import ILP
from runs.checkpoint import State
from runs.errors import ConfigError
from solvers.lns.distance import Distance, distance_row, measured, with_row
from solvers.lns.state import SearchState
from solvers.milp.lp import ALGORITHMS, PersistentLP

REUSE_GROWTH = 1.2
"""With ``reuse``, xbar is kept until k has grown by this factor."""

FAR = 32
"""Incumbents that differ in more variables are solved for afresh: seconds by primal simplex from the old basis and by a
cold interior point were 4.3 and 2.1 for 92 flips, .07 and .19 for 13 (independent sets, 6000 and 1500 nodes)."""

DEVEX = {"simplex_dual_edge_weight_strategy": 1}
"""Exact steepest-edge weights of a given basis cost seconds on the dense row; devex weights start at one."""


@dataclass(frozen=True)
class Relaxation:
    """xbar: an optimal solution of the LP relaxation of local branching.

    Parameters
    ----------
    x
        (n,) xbar.
    objective
        Its value, a lower bound on every assignment within distance ``k`` of ``incumbent``.
    incumbent
        (n,) the centre of the ball.
    k
        Its radius.
    """

    x: np.ndarray
    objective: float
    incumbent: np.ndarray
    k: int


class LocalBranchingLP:
    """Solves ``min c x`` over the LP relaxation and the row ``distance(x, incumbent) <= k``, again and again.

    The model stays; each solve replaces its last row, the distance row, and starts from the basis of the solve before.
    The basis is handed over explicitly, so that a search resumed from a checkpoint sees the same vertices.

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
        What the row measures, see :func:`solvers.lns.distance.measured`.
    """

    def __init__(
        self,
        reuse: bool = False,
        algorithm: str = "auto",
        crossover: bool = True,
        seconds: float = 300.0,
        distance: Distance = "binary",
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise ConfigError(f"lp.algorithm is '{algorithm}'; choose one of {', '.join(ALGORITHMS)}")
        if not seconds > 0:
            raise ConfigError(f"lp.seconds is {seconds}; it must be > 0")
        self.reuse = reuse
        self.algorithm = algorithm
        self.crossover = crossover
        self.seconds = seconds
        self.distance = distance

    def prepare(self, problem: ILP) -> None:
        """Forget earlier problems; the LP is built at the first :meth:`relax`.

        Raises
        ------
        ConfigError
            The problem has no binary variable that the row could count.
        """
        self.counted = measured(problem, self.distance)
        self._lp: PersistentLP | None = None
        self._last: Relaxation | None = None
        self._basis: tuple[np.ndarray, np.ndarray] | None = None

    def memory(self) -> State:
        """The last xbar, what it belongs to, and the basis it left."""
        if self._last is None:
            return {}
        last = self._last
        arrays = {"x": last.x, "value": np.array(last.objective), "centre": last.incumbent, "radius": np.array(last.k)}
        if self._basis is not None:
            arrays["basis_columns"], arrays["basis_rows"] = self._basis
        return arrays

    def restore(self, memory: State) -> None:
        """Take up :meth:`memory`."""
        if memory:
            self._last = Relaxation(memory["x"], float(memory["value"]), memory["centre"], int(memory["radius"]))
            if "basis_columns" in memory:
                self._basis = memory["basis_columns"], memory["basis_rows"]

    def relax(self, state: SearchState, k: int) -> Relaxation | None:
        """xbar for the incumbent and ``k``; None if the LP is unbounded or was not solved in time."""
        moved = self._moved(state)
        if self._last is not None and not moved and self._last.k <= k <= self._reach(self._last.k):
            return self._last
        seconds = min(self.seconds, state.remaining_seconds)
        self._last = self._solve(state, k, self._algorithm(moved), seconds)
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

    def _solve(self, state: SearchState, k: int, algorithm: str, seconds: float) -> Relaxation | None:
        coefficients, constant = distance_row(state.problem, state.incumbent, self.counted)
        if self._lp is None:
            self._lp = PersistentLP(with_row(state.problem, coefficients, -np.inf, k - constant), DEVEX)
        else:
            self._lp.set_row(self._lp.m - 1, coefficients, -np.inf, k - constant)
        if self._basis is not None and algorithm.endswith("simplex"):
            self._lp.set_basis(*self._basis)
        result = self._lp.solve(algorithm, self.crossover, seconds)
        self._basis = self._lp.basis()
        if result.x is None:
            return None
        return Relaxation(result.x, state.problem.objective(result.x), state.incumbent, k)
