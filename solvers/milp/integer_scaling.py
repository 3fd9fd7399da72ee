"""Rational coefficients to integers, as constraint programming needs them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

_MAX_DENOMINATOR = 10**6
_RELATIVE_ERROR = 1e-6
_BITS = 29


def integer_factor(values: np.ndarray, largest: float) -> int | None:
    """A factor f that makes all ``f * values`` (k,) integers.

    The smallest exact one (up to float rounding, denominators to 10^6); else a power of two by which rounding changes no
    value by more than 1e-9 relative, or 1e-6 where ``f |value| <= largest`` allows no larger one.

    Returns
    -------
    None where no factor keeps 1e-6.
    """
    sizes = np.unique(np.abs(values[values != 0]))
    if not len(sizes):
        return 1
    exact = _common_denominator(sizes, largest)
    if exact is not None:
        return exact
    if float(sizes[-1]) > largest:
        return None
    power = math.floor(math.log2(largest / float(sizes[-1])))
    enough = math.ceil(_BITS - math.log2(float(sizes[0])))  # larger numbers only make propagation slower
    factor = 2 ** max(min(power, enough), 0)
    error = np.abs(np.rint(sizes * factor) / factor - sizes)
    return factor if (error <= _RELATIVE_ERROR * sizes).all() else None


def _common_denominator(sizes: np.ndarray, largest: float) -> int | None:
    factor = 1
    for value in sizes.tolist():
        scaled = value * factor
        if abs(scaled - round(scaled)) > 1e-12 * max(1.0, scaled):
            fraction = Fraction(value).limit_denominator(_MAX_DENOMINATOR)
            if abs(float(fraction) - value) > 1e-15 * value:
                return None
            factor = math.lcm(factor, fraction.denominator)
        if factor * float(sizes[-1]) > largest:
            return None
    return factor
