"""Ratios of amplitudes in dB of their power."""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float

SMALLEST = 1e-15
"""Of amplitudes: those below count as it, -300 dB."""


def decibels(amplitude: Complex[np.ndarray, "*any"] | Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """dB of the power that an amplitude carries, of those of the unit amplitude."""
    found: np.ndarray = 20 * np.log10(np.maximum(np.abs(amplitude), SMALLEST))
    return found


def amplitude(decibels: float) -> float:
    """|amplitude| whose power has so many dB: -20 dB is .1."""
    return float(10 ** (decibels / 20))
