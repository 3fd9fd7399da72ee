"""What the policy of RL-LNS sees: features of variables, solutions met so far, and the row-normalised matrix (section 8)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch

from data.ilp.problem import ILP

STATIC_COLUMNS = (6, 13, 11, 18, 17, 16, 15, 12, 19, 20, 21, 22, 14)
"""Columns of the Gasse features (section 3): objective, reduced cost, has lb, age, at ub, at lb, fractionality, has ub,
basis, LP value."""

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


class StackedMatrices:
    """Matrices A_g (m_g, n_g) of several problems, each for a number of states that follow one another.

    Variables and rows of a state are contiguous; states are in the order of their problems. N and M count the variables and
    rows of all states.

    Parameters
    ----------
    matrices
        One per problem.
    states
        How many states each has.
    """

    def __init__(self, matrices: Sequence[sp.csr_matrix], states: Sequence[int]) -> None:
        self._blocks = [_torch_csr(matrix) for matrix in matrices]
        self._transposed = [_torch_csr(sp.csr_matrix(matrix.T)) for matrix in matrices]
        self._states = list(states)
        sizes = np.repeat([matrix.shape[1] for matrix in matrices], self._states)
        self.count = len(sizes)
        self.state_of_variable = torch.from_numpy(np.repeat(np.arange(self.count), sizes))
        self.variables = torch.from_numpy(sizes.astype(np.float32))

    def to(self, device: torch.device | str) -> StackedMatrices:
        """Move every tensor to ``device``; returns itself."""
        self._blocks = [block.to(device) for block in self._blocks]
        self._transposed = [block.to(device) for block in self._transposed]
        self.state_of_variable, self.variables = self.state_of_variable.to(device), self.variables.to(device)
        return self

    def to_rows(self, x: torch.Tensor) -> torch.Tensor:
        """``A x`` of every state: (N, F) to (M, F)."""
        return self._times(self._blocks, x)

    def to_variables(self, y: torch.Tensor) -> torch.Tensor:
        """``A^T y`` of every state: (M, F) to (N, F)."""
        return self._times(self._transposed, y)

    def total(self, x: torch.Tensor) -> torch.Tensor:
        """Sums over the variables of each state: (N, ...) to (S, ...)."""
        return x.new_zeros((self.count, *x.shape[1:])).index_add_(0, self.state_of_variable, x)

    def _times(self, blocks: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        """One sparse product per problem, its states side by side."""
        parts = x.split([block.shape[1] * states for block, states in zip(blocks, self._states, strict=True)])
        width = x.shape[1]
        products = []
        for block, states, part in zip(blocks, self._states, parts, strict=True):
            rows, columns = block.shape
            side_by_side = part.reshape(states, columns, width).transpose(0, 1).reshape(columns, states * width)
            product = (block @ side_by_side).reshape(rows, states, width)
            products.append(product.transpose(0, 1).reshape(states * rows, width))
        return torch.cat(products)


def _torch_csr(matrix: sp.csr_matrix) -> torch.Tensor:
    pointers, columns = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    values = torch.from_numpy(matrix.data.astype(np.float32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(pointers, columns, values, matrix.shape, check_invariants=False)
