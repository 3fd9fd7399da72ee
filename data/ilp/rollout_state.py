"""What the policy of RL-LNS sees: features, solutions met so far, and the matrix of docs/papers/cl_lns.md#(9)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch

from data.ilp.problem import ILP

STATIC_COLUMNS = (6, 13, 11, 18, 17, 16, 15, 12, 19, 20, 21, 22, 14)
"""Gasse features (docs/papers/cl_lns.md#3.2): objective, reduced cost, has lb, age, at ub, at lb, fractionality,
has ub, basis, LP value."""

SOLUTION_COLUMNS = 5
OBSERVATION_WIDTH = len(STATIC_COLUMNS) + SOLUTION_COLUMNS

LONGEST_HISTORY = 11
"""Incumbents in the mean: the current one and as many as the LNS engine keeps."""


def solution_columns(incumbents: Sequence[np.ndarray], solutions: Sequence[np.ndarray]) -> np.ndarray:
    """(n, 5) float32: incumbent, mean incumbent, the solutions two steps and one step ago, and the current one.

    Parameters
    ----------
    incumbents, solutions
        (n,) assignments, newest first, one at least. Solutions that do not exist yet are 0, as in the authors' set covers.
    """
    nothing = np.zeros_like(solutions[0])
    before = [*solutions[1:3], nothing, nothing]
    mean = np.mean(incumbents[:LONGEST_HISTORY], axis=0)
    return np.stack([incumbents[0], mean, before[1], before[0], solutions[0]], axis=1).astype(np.float32)


def row_normalized(problem: ILP) -> sp.csr_matrix:
    """(m, n) float32: ``A`` with every row divided by its 2-norm."""
    A = problem.A
    row = np.repeat(np.arange(problem.m), np.diff(A.indptr))
    norms = np.sqrt(np.bincount(row, A.data**2, minlength=problem.m))
    return sp.csr_matrix(((A.data / norms[row]).astype(np.float32), A.indices, A.indptr), shape=A.shape)


class RepeatedMatrix:
    """The matrix A (m, n) of one problem in S of its states; the variables of a state are contiguous, and its rows.

    Parameters
    ----------
    matrix
        csr.
    states
        S.
    """

    def __init__(self, matrix: sp.csr_matrix, states: int = 1) -> None:
        self._matrix, self._transposed = _torch_csr(matrix), _torch_csr(sp.csr_matrix(matrix.T))
        self.states = states

    def to(self, device: torch.device | str) -> RepeatedMatrix:
        """Move it to ``device``; returns itself."""
        self._matrix, self._transposed = self._matrix.to(device), self._transposed.to(device)
        return self

    def to_rows(self, x: torch.Tensor) -> torch.Tensor:
        """``A x`` of every state: (S n, F) to (S m, F)."""
        return self._times(self._matrix, x)

    def to_variables(self, y: torch.Tensor) -> torch.Tensor:
        """``A^T y`` of every state: (S m, F) to (S n, F)."""
        return self._times(self._transposed, y)

    def of_states(self, x: torch.Tensor) -> torch.Tensor:
        """(S n, ...) as (S, n, ...)."""
        return x.reshape(self.states, -1, *x.shape[1:])

    def _times(self, matrix: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """One sparse product, the states side by side."""
        rows, columns = matrix.shape
        width = x.shape[1]
        side_by_side = self.of_states(x).transpose(0, 1).reshape(columns, self.states * width)
        product = (matrix @ side_by_side).reshape(rows, self.states, width)
        return product.transpose(0, 1).reshape(self.states * rows, width)


def _torch_csr(matrix: sp.csr_matrix) -> torch.Tensor:
    pointers, columns = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    values = torch.from_numpy(matrix.data.astype(np.float32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(pointers, columns, values, matrix.shape, check_invariants=False)
