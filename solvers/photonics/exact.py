"""The cheapest design that a brush can paint, by an integer program (docs/papers/surco.md#3.7)."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from data.ilp.problem import ILP
from data.photonics.brush import FREE, BrushRule
from solvers.differentiable.oracle import LinearOracle, Vertices
from solvers.photonics.generator import Painted, blocked
from solvers.photonics.touches import coverage


def brush_ilp(rule: BrushRule, name: str = "brush") -> ILP:
    """Pixels x, then solid touches s, then void touches v, all binary, at no cost yet.

    A solid touch makes its pixels solid, and a solid pixel has a solid touch; likewise for void.
    """
    covers = coverage(rule)
    size = covers.shape[0]
    pairs = covers.tocoo()
    count = pairs.nnz
    row = np.arange(count)
    touch = sp.csr_matrix((np.ones(count), (row, pairs.row)), shape=(count, size))
    pixel = sp.csr_matrix((np.ones(count), (row, pairs.col)), shape=(count, size))
    one = sp.identity(size, format="csr")
    matrix = sp.bmat(
        [
            [pixel, -touch, None],  # x_p >= s_q
            [one, -covers.T, None],  # x_p <= sum of s_q
            [pixel, None, touch],  # 1 - x_p >= v_q
            [one, None, covers.T],  # 1 - x_p <= sum of v_q
        ],
        format="csr",
    )
    low = np.concatenate([np.zeros(count), np.full(size, -np.inf), np.full(count, -np.inf), np.ones(size)])
    high = np.concatenate([np.full(count, np.inf), np.zeros(size), np.ones(count), np.full(size, np.inf)])
    fixed = np.full(size, FREE) if rule.fixed is None else rule.fixed.reshape(-1)
    lower = np.concatenate([np.where(fixed == 1, 1.0, 0.0), np.zeros(2 * size)])
    upper = np.concatenate([np.where(fixed == 0, 0.0, 1.0), np.where(blocked(rule), 0.0, 1.0)])
    return ILP.build(np.zeros(3 * size), matrix, low, high, lb=lower, ub=upper, integer=True, name=f"designs of {name}")


class ExactBrush(LinearOracle):
    """By an oracle over any ILP; slow, and the measure of what the generator leaves.

    Parameters
    ----------
    program
        Solves the integer programs.
    """

    def __init__(self, program: LinearOracle) -> None:
        self.program = program
        self._kept: WeakKeyDictionary[BrushRule, ILP] = WeakKeyDictionary()

    def check(self, problem: Painted) -> None:
        """Refuse a brush that is none, and fixed pixels that no design can have.

        Raises
        ------
        InvalidProblem
            Names what is wrong.
        """
        problem.rule.validate()
        if problem.rule.fixed is not None:
            self.program.check(self._ilp(problem))

    def solve(self, costs: Float[np.ndarray, "batch variables"], problem: Painted) -> Vertices:
        padded = np.zeros((len(costs), 3 * costs.shape[1]))
        padded[:, : costs.shape[1]] = costs
        found = self.program.solve(padded, self._ilp(problem))
        return Vertices(np.round(found.x[:, : costs.shape[1]]), found.exact)

    def _ilp(self, problem: Painted) -> ILP:
        if problem.rule not in self._kept:
            self._kept[problem.rule] = brush_ilp(problem.rule, problem.name)
        return self._kept[problem.rule]
