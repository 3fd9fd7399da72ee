"""Set cover after Balas and Ho (docs/papers/lb_relax.md#2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from data.ilp.generators.base import expect
from data.ilp.problem import ILP
from runs.errors import ConfigError


@dataclass(frozen=True)
class SetCover:
    """``min c x  s.t.  A x >= 1``, A 0-1 with every row covered and every column used at least twice, x binary.

    Parameters
    ----------
    columns, rows
        Numbers of sets (variables) and of elements (rows).
    density
        Share of nonzeros; ``int(rows * columns * density)`` must be at least ``max(rows, 2 * columns)``.
    max_cost
        Costs are uniform integers in 1..max_cost.
    """

    columns: int = 4000
    rows: int = 5000
    density: float = 0.05
    max_cost: int = 100

    def __post_init__(self) -> None:
        expect(self.columns >= 1, "SC", "columns", self.columns, "at least 1")
        expect(self.rows >= 2, "SC", "rows", self.rows, "at least 2")
        expect(0 < self.density <= 1, "SC", "density", self.density, "a number in (0, 1]")
        expect(self.max_cost >= 1, "SC", "max_cost", self.max_cost, "at least 1")
        least = max(self.rows, 2 * self.columns)
        expectation = f"enough for max(rows, 2 columns) = {least} nonzeros (it gives {self.nonzeros})"
        expect(self.nonzeros >= least, "SC", "density", self.density, expectation)

    @property
    def nonzeros(self) -> int:
        """Number of nonzeros of the matrix."""
        return int(self.rows * self.columns * self.density)

    def __call__(self, rng: np.random.Generator, name: str) -> ILP:
        extra = rng.integers(self.columns, size=self.nonzeros - 2 * self.columns)
        counts = 2 + np.bincount(extra, minlength=self.columns)
        if counts.max() > self.rows:
            raise ConfigError(
                f"data.generator.density of the SC generator is {self.density}: {name} drew {counts.max()} entries "
                f"for a column of {self.rows} rows; lower the density"
            )
        indptr = np.concatenate([[0], np.cumsum(counts)])
        members = self._members(rng, indptr)
        matrix = sp.csc_matrix((np.ones(self.nonzeros), members, indptr), shape=(self.rows, self.columns))
        costs = rng.integers(1, self.max_cost + 1, size=self.columns)
        return ILP.build(costs, matrix.tocsr(), row_lo=1.0, ub=1.0, integer=True, name=name)

    def _members(self, rng: np.random.Generator, indptr: np.ndarray) -> np.ndarray:
        """Row ids column by column: the first ``rows`` slots are a permutation, the rest distinct within a column."""
        members = np.empty(self.nonzeros, np.int64)
        members[: self.rows] = rng.permutation(self.rows)
        for begin, end in pairwise(indptr):
            if begin >= self.rows:
                members[begin:end] = rng.choice(self.rows, size=end - begin, replace=False, shuffle=False)
            elif end > self.rows:
                others = np.setdiff1d(np.arange(self.rows), members[begin : self.rows])
                members[self.rows : end] = rng.choice(others, size=end - self.rows, replace=False, shuffle=False)
        return members
