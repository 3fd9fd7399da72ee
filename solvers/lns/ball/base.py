"""The LP relaxation over a ball around the incumbent, on all rows of the problem or on some."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from data.ilp.problem import ILP
from data.ilp.root_lp import BasisStatus
from solvers.base import Status
from solvers.milp.lp import PersistentLP

DEVEX = {"simplex_dual_edge_weight_strategy": 1}
"""Exact steepest-edge weights of a given basis cost seconds on the dense row; devex weights start at one."""


@dataclass(frozen=True)
class Basis:
    """:class:`BasisStatus` codes of a vertex of the whole problem; rows outside the model are basic.

    Parameters
    ----------
    columns, rows
        (n,) and (m,) int8.
    distance
        Code of the distance row where there is one.
    """

    columns: np.ndarray
    rows: np.ndarray
    distance: int = BasisStatus.BASIC


@dataclass(frozen=True)
class BallResult:
    """What one solve found; arrays are None unless the status is ``optimal``.

    Parameters
    ----------
    x
        (n,) optimal over the rows of the model and the ball.
    reduced_costs
        (n,) with the duals of the rows and the price of the distance taken off.
    """

    status: Status
    x: np.ndarray | None = None
    reduced_costs: np.ndarray | None = None


class Ball(ABC):
    """``min c x`` over the bounds, the rows ``self.rows`` of the problem and ``coefficients @ x + constant <= k``.

    Subclasses say how the last condition is kept.

    Parameters
    ----------
    problem
        A minimisation with n variables and m rows.
    rows
        (r,) int, the rows of the model in its order.
    """

    has_row = False
    """Whether the distance is a row of the model, its last."""

    def __init__(self, problem: ILP, rows: np.ndarray) -> None:
        self.problem = problem
        self.rows = rows
        self.basis: Basis | None = None
        self.price = 0.0  # of one unit of distance, where it is priced

    @abstractmethod
    def center(self, coefficients: np.ndarray, constant: float, incumbent: np.ndarray) -> None:
        """Measure the distance from ``incumbent`` by these coefficients (n,) and this constant."""

    @abstractmethod
    def solve(self, k: int, algorithm: str, crossover: bool, seconds: float) -> BallResult:
        """Solve from ``self.basis`` if ``algorithm`` is a simplex method; leaves the basis of its vertex there."""

    @abstractmethod
    def extend(self, rows: np.ndarray) -> None:
        """Append rows of the problem, (rows,) int, to the model; their slacks enter the basis."""

    def part(self) -> ILP:
        """The problem on the rows of the model."""
        if len(self.rows) == self.problem.m:
            return self.problem
        problem, rows = self.problem, self.rows
        return replace(
            problem, A=problem.A[rows], row_lo=problem.row_lo[rows], row_hi=problem.row_hi[rows], row_names=()
        )

    def take_basis(self, lp: PersistentLP) -> None:
        """Remember the vertex that ``lp`` ended in."""
        codes = lp.basis()
        if codes is None:
            self.basis = None
            return
        rows = np.full(self.problem.m, BasisStatus.BASIC, np.int8)
        rows[self.rows] = codes[1][: len(self.rows)]
        self.basis = Basis(codes[0], rows, int(codes[1][-1]) if self.has_row else BasisStatus.BASIC)

    def give_basis(self, lp: PersistentLP) -> None:
        """Start ``lp`` from the remembered vertex, if there is one."""
        if self.basis is not None:
            rows = self.basis.rows[self.rows]
            lp.set_basis(self.basis.columns, np.append(rows, np.int8(self.basis.distance)) if self.has_row else rows)
