"""Random instances of the theory: each is drawn from its own seed by a maker that the configuration names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from data.modules import ProblemData
from runs.errors import ConfigError


class Drawn(ProblemData):
    """``count`` instances; the i-th depends on ``seed`` and i alone, however many there are.

    Parameters
    ----------
    maker
        Called with a name and a ``numpy.random.Generator``; returns an instance with this name.
    count
        Number of instances.
    seed
        Of all of them.
    name
        Name of the set.

    Raises
    ------
    ConfigError
        ``count`` is not positive.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(self, maker: Callable[[str, np.random.Generator], Any], count: int, seed: int, name: str) -> None:
        super().__init__()
        if count < 1:
            raise ConfigError(f"data.count is {count}; give at least one instance")
        self.maker, self.count, self.seed, self.name = maker, count, seed, name

    def setup(self, stage: str | None = None) -> None:
        """Nothing to read."""
        self.test_problems = _Items(self)

    def instance(self, index: int) -> Any:
        """The instance of this index.

        Raises
        ------
        ConfigError
            The maker's settings make none.
        """
        return self.maker(str(index), np.random.default_rng([self.seed, index]))


class _Items(Dataset[tuple[int, Any]]):
    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn

    def __len__(self) -> int:
        return self.drawn.count

    def __getitem__(self, index: int) -> tuple[int, Any]:
        return index, self.drawn.instance(index)
