"""How replicas of SGD are run beside the flow that they should follow."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

import numpy as np

from runs.errors import at_least


@dataclass(frozen=True, kw_only=True)
class Replicas(ABC):
    """What every such comparison sets; a paper adds its step sizes.

    Parameters
    ----------
    steps, every
        Number of steps, and of steps between two snapshots.
    batch, replicas
        Samples of a step, and independent runs.

    Raises
    ------
    ConfigError
        A number is too small for there to be a comparison.
    """

    steps: int
    every: int
    batch: int = 128
    replicas: int = 8

    def __post_init__(self) -> None:
        at_least(
            "task.sgd.",
            steps=(self.steps, 1),
            every=(self.every, 1),
            batch=(self.batch, 1),
            replicas=(self.replicas, 2),
        )

    @property
    def snapshots(self) -> np.ndarray:
        """(n,) int, the steps after which SGD is looked at; the start and the last step always."""
        return np.unique(np.append(np.arange(0, self.steps, self.every), self.steps))
