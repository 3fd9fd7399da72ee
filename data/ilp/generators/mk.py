"""Multidimensional knapsacks after Chu and Beasley."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.ilp.generators.base import expect
from data.ilp.problem import ILP


@dataclass(frozen=True)
class MultidimensionalKnapsack:
    """``max p x  s.t.  W x <= b``, x binary; profits correlated with the weights.

    Weights are uniform integers in 1..1000, capacities ``tightness`` times the row's sum of weights, profits the mean
    weight of the item plus U(0, 500).

    Parameters
    ----------
    items, knapsacks
        Numbers of variables and of rows.
    tightness
        Share of all items' weight that fits.
    """

    items: int = 500
    knapsacks: int = 30
    tightness: float = 0.5

    def __post_init__(self) -> None:
        expect(self.items >= 1, "MK", "items", self.items, "at least 1")
        expect(self.knapsacks >= 1, "MK", "knapsacks", self.knapsacks, "at least 1")
        expect(0 < self.tightness <= 1, "MK", "tightness", self.tightness, "a number in (0, 1]")

    def __call__(self, rng: np.random.Generator, name: str) -> ILP:
        weights = rng.integers(1, 1001, size=(self.knapsacks, self.items))
        profits = weights.sum(axis=0) / self.knapsacks + 500 * rng.random(self.items)
        capacity = np.floor(self.tightness * weights.sum(axis=1))
        return ILP.build(profits, weights, row_hi=capacity, ub=1.0, integer=True, maximize=True, name=name)
