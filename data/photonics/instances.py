"""Photonic devices as the data of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.utils.data import Dataset

from data.modules import ProblemData
from data.photonics.devices import FAMILIES, family
from data.photonics.problem import PhotonicProblem
from data.photonics.windows import LOSSES, Loss
from runs.errors import ConfigError, at_least


class PhotonicDevices(ProblemData):
    """Instances of one family (docs/papers/surco.md#2.2).

    ``test_problems`` holds items ``(index, PhotonicProblem)``.

    Parameters
    ----------
    family
        ``bend``, ``converter``, ``splitter`` or ``wdm``.
    count
        How many.
    first
        Index of the first; instance i is drawn from ``numpy.random.default_rng([seed, i])``.
    seed
        Of the instances.
    published
        Whether all are the published device itself, without anything drawn.
    design
        Cells of the design along x and y; None as published.
    loss
        See :class:`data.photonics.problem.PhotonicProblem`.
    name
        Of the set; an instance is called ``<name>-<index>``.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(
        self,
        family: str,
        count: int = 25,
        first: int = 0,
        seed: int = 0,
        published: bool = False,
        design: tuple[int, int] | list[int] | None = None,
        loss: Loss = "amplitude",
        name: str | None = None,
    ) -> None:
        super().__init__()
        if family not in FAMILIES:
            raise ConfigError(f"data.family is '{family}'; choose {', '.join(FAMILIES)}")
        if loss not in LOSSES:
            raise ConfigError(f"data.loss is '{loss}'; choose {' or '.join(LOSSES)}")
        at_least("data.", count=(count, 1), first=(first, 0), seed=(seed, 0))
        if design is not None and (len(design) != 2 or min(design) < 4):
            raise ConfigError(f"data.design is {list(design)}; give cells along x and y, at least 4 each")
        self.family, self.count, self.first, self.seed = family, count, first, seed
        self.published, self.loss, self.name = published, loss, name or family
        self.design = None if design is None else (int(design[0]), int(design[1]))

    def setup(self, stage: str | None = None) -> None:
        """Nothing is read; instances are drawn one by one."""
        if self.test_problems is None:
            self.test_problems = _Devices(self)

    def problem(self, index: int) -> PhotonicProblem:
        """An instance, the same wherever it is drawn."""
        rng = None if self.published else np.random.default_rng([self.seed, index])
        return family(self.family, rng, f"{self.name}-{index:04d}", design=self.design, loss=self.loss)


class _Devices(Dataset[tuple[int, PhotonicProblem]]):
    def __init__(self, data: PhotonicDevices) -> None:
        self.data = data

    def __len__(self) -> int:
        return self.data.count

    def __getitem__(self, position: int) -> tuple[int, Any]:
        if not 0 <= position < len(self):
            raise IndexError(position)
        index = self.data.first + position
        return index, self.data.problem(index)
