"""The distance row of local branching, and ILPs with one more row."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import scipy.sparse as sp

from data.ilp.problem import ILP
from runs.errors import ConfigError

Distance = Literal["binary", "bounds"]


def measured(problem: ILP, distance: Distance) -> np.ndarray:
    """(n,) bool: the variables that the row counts.

    ``"binary"`` counts the binary ones (docs/papers/lb_relax.md#(3)); ``"bounds"`` every integer variable that stands
    at one of its bounds, by its distance from that bound, which for binaries is the same.

    Raises
    ------
    ConfigError
        The row would count nothing: the problem has no free binary (integer) variable.
    """
    if distance not in ("binary", "bounds"):
        raise ConfigError(f"distance is '{distance}'; choose 'binary' or 'bounds'")
    counted = problem.binary if distance == "binary" else problem.integer
    if not (counted & (problem.lb < problem.ub)).any():
        remedy = "set distance: bounds to measure integer variables from the bound they stand at"
        raise ConfigError(
            f"{problem.name}: local branching counts flipped binary variables and there are none"
            + (f"; {remedy}" if distance == "binary" else ", nor integer ones")
        )
    return counted


def distance_row(problem: ILP, incumbent: np.ndarray, counted: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients (n,) and constant of the distance to ``incumbent``: ``coefficients @ x + constant``.

    At a lower bound a variable counts x - lb, at an upper bound ub - x, in between nothing.
    """
    at_lower = counted & (incumbent <= problem.lb)
    at_upper = counted & ~at_lower & (incumbent >= problem.ub)
    constant = float(problem.ub[at_upper].sum() - problem.lb[at_lower].sum())
    return at_lower.astype(float) - at_upper, constant


def with_row(problem: ILP, coefficients: np.ndarray, low: float, high: float) -> ILP:
    """``problem`` and, as its last row, ``low <= coefficients @ x <= high``; ``coefficients`` (n,)."""
    return replace(
        problem,
        A=sp.vstack([problem.A, sp.csr_matrix(coefficients)], format="csr"),
        row_lo=np.append(problem.row_lo, low),
        row_hi=np.append(problem.row_hi, high),
        row_names=(),
    )
