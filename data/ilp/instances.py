"""A set of ILP instances, generated or read from files, as the data of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from data.ilp.formats import files
from data.ilp.formats.suffixes import stem
from data.ilp.generators.base import InstanceGenerator
from data.ilp.problem import ILP
from data.modules import ProblemData
from runs.errors import ConfigError, InvalidProblem


class UnreadableInstance(InvalidProblem):
    """What stands in for an ILP in a folder when its file is bad: the run reports it as failed and goes on."""

    instance_name: str = ""


class IntegerPrograms(ProblemData):
    """Test instances from a generator, one file, or a folder of files.

    ``test_problems`` holds items ``(index, ILP)``. In a folder, a file that cannot be read gives ``(index, error)`` with
    an :class:`UnreadableInstance` whose ``instance_name`` says which; a single bad file raises in ``setup``.

    Parameters
    ----------
    path
        MPS or LP file (also ``.gz``), or a folder of them, taken in order of name; replaces the generator.
    generator
        Draws instance i from the stream ``numpy.random.default_rng([seed, i])``, when it is asked for.
    count
        Number of instances; in a folder the first so many, null for all.
    first
        Index of the first instance; indices and names do not depend on it.
    seed
        Seed of the generated set.
    name
        Name of the set, "files" or "ilp" by default; generated instances are called ``<name>-<index>``, files by their stem.
    optimum
        Known optimal values by instance name.
    neighborhood_size
        k_0 of the LNS on this set, as it belongs to the instances more than to a method; 0 or null means 20 % of the
        integers.
    """

    name: str  # Lightning's own attribute, here never None

    def __init__(
        self,
        path: str | None = None,
        generator: InstanceGenerator | None = None,
        count: int | None = None,
        first: int = 0,
        seed: int = 0,
        name: str | None = None,
        optimum: Mapping[str, float] | None = None,
        neighborhood_size: int | None = None,
    ) -> None:
        super().__init__()
        if path is None and generator is None:
            raise ConfigError("data.path and data.generator are both null; set one of them")
        if path is None and count is None:
            raise ConfigError("data.count is null; a generator needs a number of instances, at least 1")
        for key, value, least in (
            ("count", count, 1),
            ("first", first, 0),
            ("seed", seed, 0),
            ("neighborhood_size", neighborhood_size, 0),
        ):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ConfigError(f"data.{key} is {value!r}; expected a whole number, at least {least}")
        self.path = None if path is None else Path(path).expanduser()
        self.generator = generator
        self.count = count
        self.first = first
        self.seed = seed
        self.name = name or ("ilp" if path is None else "files")
        self.optimum = _checked(optimum or {})
        self.neighborhood_size = neighborhood_size

    def setup(self, stage: str | None = None) -> None:
        """Find the instances; generated ones and those of a folder are made when they are asked for.

        Raises
        ------
        InvalidProblem
            ``path`` is missing, a bad file, or a folder without instances.
        ConfigError
            ``first`` is beyond the last file.
        """
        if self.test_problems is not None:
            return
        if self.path is None:
            assert self.generator is not None and self.count is not None
            self.test_problems = _Generated(self.generator, self.name, self.seed, self.first, self.count)
        elif self.path.is_dir():
            self.test_problems = _Files(files.instances(self.path), self.first, self.count)
        else:
            single = _Files([self.path], self.first, self.count)
            single.keep_first()  # a bad file is an error now, not a failed instance later
            self.test_problems = single

    def problem_optimum(self, name: str) -> float | None:
        """The known optimum of an instance, in its own sense, or None."""
        return self.optimum.get(name)


class _Generated(Dataset[tuple[int, ILP]]):
    """Items first .. first + count - 1 of an endless series."""

    def __init__(self, generator: InstanceGenerator, name: str, seed: int, first: int, count: int) -> None:
        self.generator, self.name, self.seed, self.first, self.count = generator, name, seed, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, position: int) -> tuple[int, ILP]:
        if not 0 <= position < self.count:
            raise IndexError(position)
        index = self.first + position
        return index, self.generator(np.random.default_rng([self.seed, index]), f"{self.name}-{index:04d}")


class _Files(Dataset[tuple[int, ILP | UnreadableInstance]]):
    """Instance files; the stems name the instances, full file names where stems repeat."""

    def __init__(self, paths: list[Path], first: int, count: int | None) -> None:
        names = [stem(path) for path in paths]
        if len(set(names)) < len(names):
            names = [path.name for path in paths]
        indices = range(len(paths))[first : None if count is None else first + count]
        if not indices:
            raise ConfigError(f"data.first is {first}, but there are only {len(paths)} instances in {paths[0].parent}")
        self.items = [(index, names[index], paths[index]) for index in indices]
        self._first: ILP | None = None

    def keep_first(self) -> None:
        """Read the first file now and keep it: a big one takes seconds.

        Raises
        ------
        InvalidProblem
            It cannot be read.
        """
        _, name, path = self.items[0]
        self._first = replace(files.read(path), name=name)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: int) -> tuple[int, ILP | UnreadableInstance]:
        index, name, path = self.items[position]
        if position == 0 and self._first is not None:
            return index, self._first
        try:
            return index, replace(files.read(path), name=name)
        except InvalidProblem as reason:
            error = UnreadableInstance(str(reason))
            error.instance_name = name
            return index, error


def _checked(optimum: Mapping[str, float]) -> dict[str, float]:
    for name, value in optimum.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ConfigError(f"data.optimum of '{name}' is {value!r}; expected a finite number")
    return {str(name): float(value) for name, value in optimum.items()}
