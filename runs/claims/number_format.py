"""How numbers are written for people."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

NONE = "\u2013"
"""Stands where there is no number."""
NEGLIGIBLE = 1e-12


def number(value: Any, digits: int = 4) -> str:
    """A number for people: at most ``digits`` significant digits; a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return NONE
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value}"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 10**digits and abs(value) < 1e9 else f"{value:.{digits}g}"
    return str(value)


def snapped(value: Any, scale: float) -> Any:
    """0 for what rounding errors leave of a difference between numbers of size ``scale``; else the value."""
    return 0.0 if is_number(value) and abs(value) < NEGLIGIBLE * scale else value


def largest(values: Iterable[Any]) -> float:
    """The scale of a quantity: the largest magnitude it takes."""
    return max((abs(value) for value in values if is_number(value)), default=0.0)


def sort_key(value: Any) -> str:
    """What a cell sorts by: the full number, or nothing where there is none."""
    return repr(float(value)) if is_number(value) else "" if value is None or isinstance(value, float) else str(value)


def is_number(value: Any) -> bool:
    """True for a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
