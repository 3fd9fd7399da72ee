"""Drawn grids as the data of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from data.modules import ProblemData
from data.routing.grids import TimeLaw, grid_problem
from data.routing.problem import LOSSES, Loss, RoutingProblem
from runs.errors import ConfigError, at_least

SEEDS = 1000
"""The authors draw the seed of an instance below this."""


class RoutingGrids(ProblemData):
    """Grids of one size (docs/papers/surco.md#2.1).

    ``test_problems`` holds items ``(index, RoutingProblem)``. Tested instances have the authors' seeds; instances that
    something learns on or is tuned on come from streams of their own, none of which is a tested one.

    Parameters
    ----------
    law
        Of times.
    size
        Nodes of a side.
    deadline
        As a multiple of the least expected time; of several every grid has each.
    count
        Number of grids.
    first
        Index of the first grid.
    seed
        Of the instances' seeds; 10 in the authors' code.
    loss
        The cost of the relaxed problem, see :class:`data.routing.problem.RoutingProblem`.
    training
        Whether these are other instances than those that are tested.
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
        law: TimeLaw,
        size: int = 10,
        deadline: float | Sequence[float] = 1.0,
        count: int = 25,
        first: int = 0,
        seed: int = 10,
        loss: Loss = "score",
        training: bool = False,
        name: str = "grid",
    ) -> None:
        super().__init__()
        self.deadlines = (deadline,) if isinstance(deadline, (int, float)) else tuple(deadline)
        least = min(self.deadlines, default=-1.0)
        at_least("data.", size=(size, 2), deadline=(least, 0), count=(count, 1), first=(first, 0), seed=(seed, 0))
        if loss not in LOSSES:
            raise ConfigError(f"data.loss is '{loss}'; choose {' or '.join(LOSSES)}")
        self.law, self.size, self.loss = law, size, loss
        self.count, self.first, self.seed, self.training, self.name = count, first, seed, training, name

    def setup(self, stage: str | None = None) -> None:
        """Nothing is read; instances are drawn one by one."""
        if self.test_problems is None:
            self.test_problems = _Grids(self)

    def problem(self, index: int) -> RoutingProblem:
        """An instance, the same wherever it is drawn; grids count through, each with one deadline after the other."""
        grid, which = divmod(index, len(self.deadlines))
        rng = np.random.default_rng([self.seed, 1, grid] if self.training else self._seeds(grid + 1)[grid])
        name = f"{self.name}-{index:04d}"
        return grid_problem(self.size, self.law, self.deadlines[which], rng, name, self.loss)

    def _seeds(self, count: int) -> Any:
        return np.random.default_rng(self.seed).integers(0, SEEDS, count)


class _Grids(Dataset[tuple[int, RoutingProblem]]):
    def __init__(self, data: RoutingGrids) -> None:
        self.data = data

    def __len__(self) -> int:
        return self.data.count * len(self.data.deadlines)

    def __getitem__(self, position: int) -> tuple[int, RoutingProblem]:
        if not 0 <= position < len(self):
            raise IndexError(position)
        index = self.data.first * len(self.data.deadlines) + position
        return index, self.data.problem(index)
