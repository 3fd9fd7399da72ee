"""Many co-occurrence tables as the instances of a run: the theory has no data but P(l|n)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from torch.utils.data import Dataset

from data.modules import ProblemData
from data.text.synthetic import CoOccurrence
from runs.errors import ConfigError


@dataclass(frozen=True)
class Vocabulary:
    """One instance: a co-occurrence table and what it is called."""

    name: str
    distribution: CoOccurrence


class Vocabularies(ProblemData):
    """Every combination of the settings of :class:`~data.text.synthetic.CoOccurrence` that are given.

    ``test_problems`` holds items ``(index, Vocabulary)``; the last setting varies fastest.

    Parameters
    ----------
    grid
        Values by setting; a setting left out keeps its default.
    name
        Name of the set.

    Raises
    ------
    ConfigError
        A setting is unknown, has no values, or makes no vocabulary.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(self, grid: Mapping[str, Sequence[float]], name: str = "vocabularies") -> None:
        super().__init__()
        known = [field.name for field in fields(CoOccurrence)]
        for setting, values in grid.items():
            if setting not in known:
                raise ConfigError(f"data.grid.{setting} is not a setting; choose from {', '.join(known)}")
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise ConfigError(f"data.grid.{setting} is {values!r}; give a list of values")
        self.name = name
        self.vocabularies = [
            _vocabulary(dict(zip(grid, point, strict=True))) for point in itertools.product(*grid.values())
        ]

    def setup(self, stage: str | None = None) -> None:
        """Nothing to read."""
        self.test_problems = _Items(self.vocabularies)


class _Items(Dataset[tuple[int, Vocabulary]]):
    def __init__(self, vocabularies: list[Vocabulary]) -> None:
        self.vocabularies = vocabularies

    def __len__(self) -> int:
        return len(self.vocabularies)

    def __getitem__(self, index: int) -> tuple[int, Vocabulary]:
        return index, self.vocabularies[index]


def _vocabulary(settings: dict[str, float]) -> Vocabulary:
    name = "-".join(f"{setting}{value:g}" for setting, value in settings.items()) or "default"
    return Vocabulary(name.replace("num_", ""), CoOccurrence(**settings))  # type: ignore[arg-type]
