"""What a family of random instances is, and how its settings are refused."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from data.ilp.problem import ILP
from runs.errors import ConfigError


class InstanceGenerator(Protocol):
    """Draws one instance; everything random comes from ``rng``, so one seed is one instance."""

    def __call__(self, rng: np.random.Generator, name: str) -> ILP: ...


def expect(condition: bool, family: str, key: str, value: Any, expectation: str) -> None:
    """Refuse a generator's setting.

    Raises
    ------
    ConfigError
        ``condition`` is false; names the setting, its value and what is expected.
    """
    if not condition:
        raise ConfigError(f"data.generator.{key} of the {family} generator is {value!r}; expected {expectation}")
