"""Rows that stand in for a problem's own in its bipartite graph: those of a root LP after cuts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from data.ilp.problem import ILP


@dataclass(frozen=True, eq=False)
class RootRows:
    """The m' rows ``row_lo <= A x <= row_hi`` of a root LP, which every integer solution of the problem keeps.

    Parameters
    ----------
    A
        (m', n) CSR.
    row_lo, row_hi
        (m',) float64.
    origin
        (m',) SCIP's codes of where each row comes from: 1 a constraint handler, 2 a constraint, 3 a separator (a cut).
    """

    A: sp.csr_matrix
    row_lo: np.ndarray
    row_hi: np.ndarray
    origin: np.ndarray

    def of(self, problem: ILP) -> ILP:
        """The problem with these rows instead of its own."""
        built = ILP.build(problem.c, self.A, self.row_lo, self.row_hi)
        return replace(problem, A=built.A, row_lo=built.row_lo, row_hi=built.row_hi, row_names=())

    def arrays(self) -> dict[str, np.ndarray]:
        """As arrays by name, none of which needs a pickle."""
        matrix = {name: getattr(self.A, name) for name in ("data", "indices", "indptr")}
        return {**matrix, "shape": np.array(self.A.shape), "lo": self.row_lo, "hi": self.row_hi, "origin": self.origin}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> RootRows:
        """Inverse of :meth:`arrays`."""
        data, indices, indptr, shape, lo, hi, origin = (
            arrays[name] for name in ("data", "indices", "indptr", "shape", "lo", "hi", "origin")
        )
        return cls(sp.csr_matrix((data, indices, indptr), shape=tuple(shape)), lo, hi, origin)
