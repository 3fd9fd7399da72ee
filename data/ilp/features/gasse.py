"""The 23 "Gasse" features of a variable, columns 0 to 22 (docs/papers/cl_lns.md#3.2)."""

from __future__ import annotations

import numpy as np

from data.ilp.features.geometry import Geometry, equal
from data.ilp.root_lp import BasisStatus

AGE_SCALE = 1 / (1 + 5)
"""Ages are divided by the number of LPs solved, 1 at the root, plus 5."""


def gasse_features(geometry: Geometry) -> dict[str, np.ndarray]:
    """Name to (n,) column, in order. Infinite bounds read 0; the flags ``has_lower`` and ``has_upper`` tell them apart."""
    problem, lp = geometry.problem, geometry.lp
    integer, binary = problem.integer, problem.binary
    has_lower, has_upper = np.isfinite(problem.lb), np.isfinite(problem.ub)
    lower, upper = np.where(has_lower, problem.lb, 0.0), np.where(has_upper, problem.ub, 0.0)
    largest = np.abs(problem.c).max(initial=0.0) or 1.0
    return {
        "lower": lower,
        "upper": upper,
        "global_lower": lower,
        "global_upper": upper,
        "cost_by_largest": problem.c / largest,
        "lp_value": lp.x,
        "cost_by_norm": problem.c / geometry.objective_norm,
        "is_binary": binary,
        "is_integer": integer & ~binary,
        "is_implicit_integer": np.zeros(problem.n),
        "is_continuous": ~integer,
        "has_lower": has_lower,
        "has_upper": has_upper,
        "reduced_cost_by_norm": lp.reduced_costs / geometry.objective_norm,
        "lp_value_again": lp.x,
        "fractionality": geometry.fractionality,
        "at_lower": equal(lp.x, problem.lb),
        "at_upper": equal(lp.x, problem.ub),
        "age": (lp.x == 0) * AGE_SCALE,  # SCIP: a column ages with every LP in which it is exactly 0
        "basis_lower": lp.column_status == BasisStatus.LOWER,
        "basis_basic": lp.column_status == BasisStatus.BASIC,
        "basis_upper": lp.column_status == BasisStatus.UPPER,
        "basis_zero": lp.column_status == BasisStatus.ZERO,
    }
