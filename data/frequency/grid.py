"""Frequencies and wavelengths in vacuum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError

SPEED_OF_LIGHT = 299_792_458.0
"""m/s."""


def wavelength_of(frequency: Float[np.ndarray, "*any"] | float) -> Float[np.ndarray, "*any"] | float:
    """m in vacuum, of Hz; and the other way round."""
    return SPEED_OF_LIGHT / frequency


def checked(frequencies: Sequence[float] | np.ndarray, name: str = "frequencies") -> Float[np.ndarray, " points"]:
    """Frequencies in Hz as an array.

    Raises
    ------
    ConfigError
        There is none, or they do not rise, or one is not above 0.
    """
    found = np.asarray(frequencies, float)
    if (
        found.ndim != 1
        or not len(found)
        or not np.isfinite(found).all()
        or found[0] <= 0
        or (np.diff(found) <= 0).any()
    ):
        raise ConfigError(f"{name} are {found.tolist()}; expected rising numbers of Hz above 0")
    return found
