"""Which of the 104 features of a variable a policy sees (docs/papers/cl_lns.md#3.6)."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from data.ilp.features.dynamic import WINDOW
from runs.errors import ConfigError, nearest

GASSE, KHALIL = 23, 72
STATIC = GASSE + KHALIL
"""Columns 0 to 94 stay the same during a search; the rest is dynamic."""
VARIABLE_FEATURES = STATIC + 3 * WINDOW
ROW_FEATURES, EDGE_FEATURES = 10, 2


class FeatureSet(StrEnum):
    """``gasse`` is the release's feat1, ``gasse_khalil`` feat2 and the paper's, ``gasse_khalil_lb_relax`` feat3."""

    GASSE = "gasse"
    GASSE_KHALIL = "gasse_khalil"
    GASSE_KHALIL_LB_RELAX = "gasse_khalil_lb_relax"

    @classmethod
    def named(cls, name: str) -> FeatureSet:
        """The set of that name.

        Raises
        ------
        ConfigError
            There is none.
        """
        try:
            return cls(name)
        except ValueError as error:
            raise ConfigError(f"feature_set is '{name}'{nearest(name, list(cls))}") from error

    @property
    def columns(self) -> np.ndarray:
        """(104,) bool: the columns in use; the others are to be set to 0."""
        mask = np.ones(VARIABLE_FEATURES, bool)
        mask[GASSE:STATIC] = self is not FeatureSet.GASSE
        mask[STATIC + 2 :: 3] = self.needs_lb_relaxation
        return mask

    @property
    def needs_lb_relaxation(self) -> bool:
        """Whether the LP relaxation of local branching around each incumbent belongs to it."""
        return self is FeatureSet.GASSE_KHALIL_LB_RELAX
