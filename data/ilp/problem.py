"""Integer linear programs: ``min or max c x + offset  s.t.  row_lo <= A x <= row_hi,  lb <= x <= ub,  x_j integer``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from runs.errors import InvalidProblem

INTEGRALITY = 1e-6


@dataclass(frozen=True, eq=False)
class ILP:
    """An immutable (mixed-)integer linear program with n variables and m rows.

    Parameters
    ----------
    c
        (n,) float64, objective coefficients in the problem's own sense.
    A
        (m, n) csr_matrix, float64, sorted indices, no duplicates.
    row_lo, row_hi
        (m,) float64, sides of the rows; -inf and +inf where absent.
    lb, ub
        (n,) float64, bounds of the variables; -inf and +inf where absent.
    integer
        (n,) bool.
    maximize, offset
        Sense and constant of the objective.
    var_names, row_names
        Names from a file, or empty.
    name
        What reports call the instance.
    """

    c: np.ndarray
    A: sp.csr_matrix
    row_lo: np.ndarray
    row_hi: np.ndarray
    lb: np.ndarray
    ub: np.ndarray
    integer: np.ndarray
    maximize: bool = False
    offset: float = 0.0
    var_names: tuple[str, ...] = field(default=(), repr=False)
    row_names: tuple[str, ...] = field(default=(), repr=False)
    name: str = "ilp"
