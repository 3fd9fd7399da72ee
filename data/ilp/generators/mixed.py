"""Instances of several families in one set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.ilp.generators.base import InstanceGenerator, expect
from data.ilp.problem import ILP


class MixedFamilies:
    """Each instance is one of the families', drawn uniformly.

    Parameters
    ----------
    families
        Their generators.

    Raises
    ------
    ConfigError
        There is none.
    """

    def __init__(self, families: Sequence[InstanceGenerator]) -> None:
        expect(len(families) > 0, "mixed", "families", list(families), "at least one generator")
        self.families = list(families)

    def __call__(self, rng: np.random.Generator, name: str) -> ILP:
        return self.families[int(rng.integers(len(self.families)))](rng, name)
