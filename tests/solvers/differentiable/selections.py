"""k of n things with a quadratic cost: the vertices, the optimum and every answer of the oracle are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from data.ilp.problem import ILP
from solvers.differentiable.oracle import LinearOracle, Vertices
from solvers.differentiable.relaxed import Queried


@dataclass(frozen=True, eq=False)
class Selection:
    """x' Q x / 2 + b'x over the x in {0, 1}^n with k ones."""

    quadratic: np.ndarray
    linear: np.ndarray
    k: int
    name: str = "selection"

    @classmethod
    def random(cls, seed: int, n: int = 8, k: int = 3) -> Selection:
        rng = np.random.default_rng(seed)
        half = rng.normal(size=(n, n))
        return cls(half + half.T, rng.normal(size=n), k)

    @property
    def variables(self) -> int:
        return len(self.linear)

    @cached_property
    def polytope(self) -> ILP:
        n = self.variables
        return ILP.build(np.zeros(n), np.ones((1, n)), self.k, self.k, 0, 1, True, name=self.name)

    @cached_property
    def vertices(self) -> np.ndarray:
        chosen = list(combinations(range(self.variables), self.k))
        points = np.zeros((len(chosen), self.variables))
        for row, each in enumerate(chosen):
            points[row, list(each)] = 1
        return points

    @cached_property
    def optimum(self) -> float:
        return float(self.query(self.vertices).values.min())

    def query(self, x: np.ndarray) -> Queried:
        products = (x[:, None, :] @ self.quadratic)[:, 0]  # row by row, so that a batch is the same as its rows
        return Queried((products * x).sum(axis=1) / 2 + (x * self.linear).sum(axis=1), products + self.linear)

    def objective(self, assignment: np.ndarray) -> float:
        return float(self.query(assignment[None]).values[0])

    def is_feasible(self, assignment: np.ndarray) -> bool:
        return bool(assignment.sum() == self.k and np.isin(assignment, (0, 1)).all())

    def assignment(self, x: np.ndarray) -> np.ndarray:
        return x


class Cheapest(LinearOracle):
    """The k cheapest, the first of equal ones."""

    def solve(self, costs: np.ndarray, problem: Any) -> Vertices:
        x = np.zeros_like(costs)
        order = np.argsort(costs, axis=1, kind="stable")[:, : problem.k]
        np.put_along_axis(x, order, 1.0, axis=1)
        return Vertices(x, np.ones(len(costs), bool))
