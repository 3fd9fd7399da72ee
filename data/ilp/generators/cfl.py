"""Capacitated facility location after Cornuejols, Sridharan and Thizy: a mixed-binary family."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from data.ilp.generators.base import expect
from data.ilp.problem import ILP


@dataclass(frozen=True)
class CapacitatedFacilityLocation:
    """Open facilities (binary y) and serve shares of demands (continuous x in [0, 1]) at least cost.

    Demands are uniform integers in 5..35, raw capacities in 10..160, opening costs ``U{100..110} sqrt(capacity) +
    U{0..90}`` rounded down; then capacities are scaled so that they sum to about ``ratio`` times all demand. Serving
    costs ten times the distance in the unit square times the demand.

    Variables are x (customer-major), then y; rows are one per customer (served fully), one per facility (capacity), one
    for total capacity and one ``x_ij <= y_j`` per pair.

    Parameters
    ----------
    customers, facilities
        Numbers of each.
    ratio
        Total capacity over total demand, above 1.
    """

    customers: int = 100
    facilities: int = 100
    ratio: float = 5.0

    def __post_init__(self) -> None:
        expect(self.customers >= 1, "CFL", "customers", self.customers, "at least 1")
        expect(self.facilities >= 1, "CFL", "facilities", self.facilities, "at least 1")
        expect(1 < self.ratio < np.inf, "CFL", "ratio", self.ratio, "a finite number above 1")

    def __call__(self, rng: np.random.Generator, name: str) -> ILP:
        customers, facilities = self.customers, self.facilities
        places = rng.random((customers, 2)), rng.random((facilities, 2))
        demand = rng.integers(5, 36, size=customers).astype(np.float64)
        capacity = rng.integers(10, 161, size=facilities).astype(np.float64)
        opening = np.floor(rng.integers(100, 111, facilities) * np.sqrt(capacity) + rng.integers(0, 91, facilities))
        capacity = np.ceil(capacity * self.ratio * demand.sum() / capacity.sum())
        difference = places[0][:, None, :] - places[1][None, :, :]
        serving = 10 * np.sqrt((difference**2).sum(axis=2)) * demand[:, None]

        pairs = customers * facilities
        row_lo = np.full(customers + facilities + 1 + pairs, -np.inf)
        row_hi = np.zeros(len(row_lo))
        row_lo[:customers] = row_hi[:customers] = 1.0
        row_lo[customers + facilities], row_hi[customers + facilities] = demand.sum(), np.inf
        return ILP.build(
            np.concatenate([serving.ravel(), opening]),
            _rows(demand, capacity),
            row_lo,
            row_hi,
            ub=1.0,
            integer=np.arange(pairs + facilities) >= pairs,
            name=name,
        )


def _rows(demand: np.ndarray, capacity: np.ndarray) -> sp.csr_matrix:
    """Service, capacity, total capacity and linking rows, in this order."""
    customers, facilities = len(demand), len(capacity)
    pairs = customers * facilities
    each_facility = sp.identity(facilities)
    return sp.bmat(
        [
            [sp.kron(sp.identity(customers), np.ones((1, facilities))), None],
            [sp.kron(demand[None, :], each_facility), -sp.diags(capacity)],
            [None, sp.csr_matrix(capacity[None, :])],
            [sp.identity(pairs), -sp.kron(np.ones((customers, 1)), each_facility)],
        ],
        format="csr",
    )
