"""The vertex of an ILP's root LP relaxation, whoever found it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class BasisStatus(IntEnum):
    """Where a variable or a row sits in a basis (the codes of HiGHS)."""

    LOWER = 0
    BASIC = 1
    UPPER = 2
    ZERO = 3  # free and nonbasic
    NONBASIC = 4


@dataclass(frozen=True, eq=False)
class RootLP:
    """An optimal vertex of the LP relaxation of a minimisation with n variables and m rows.

    Parameters
    ----------
    x
        (n,) float64, the vertex.
    duals
        (m,) float64, >= 0 for a row at ``row_lo``, <= 0 for one at ``row_hi``.
    reduced_costs
        (n,) float64, ``c - A^T duals``: >= 0 at ``lb``, <= 0 at ``ub``.
    column_status, row_status
        (n,) and (m,) int8, :class:`BasisStatus` codes.
    objective
        The optimum, the problem's offset included.
    seconds
        What the LP took.
    """

    x: np.ndarray
    duals: np.ndarray
    reduced_costs: np.ndarray
    column_status: np.ndarray
    row_status: np.ndarray
    objective: float
    seconds: float = 0.0
