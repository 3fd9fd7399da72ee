"""Finding the passes that leave the fewest instructions of one program (docs/papers/pass_order.md#1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

from data.compiler.base import Actions, Compiler, Trajectory
from data.compiler.program import Program
from runs.errors import ConfigError, nearest


@dataclass(frozen=True)
class PassOrdering:
    """One program, and the compiler that optimises it.

    An assignment is the passes that are applied, (passes,) int64; a single number below 0 is one of the compiler's own
    levels instead, see :meth:`level`.

    Parameters
    ----------
    program
        What is to become small.
    compiler
        Whose passes they are.
    """

    program: Program
    compiler: Compiler

    @property
    def family(self) -> str:
        """What the program belongs to; a data set of its own in reports."""
        return self.program.family

    @property
    def name(self) -> str:
        """The program's, within its family."""
        return self.program.name.removeprefix(f"{self.family}/")

    @cached_property
    def initial(self) -> int:
        """Instructions before any pass."""
        return self.compiler.load(self.program.bitcode, self.program.name).count()

    @cached_property
    def reference(self) -> int:
        """Instructions after the compiler's own level of size."""
        return self.count_at(self.compiler.size_level)

    def count_at(self, level: str) -> int:
        """Instructions after one of the compiler's own levels."""
        return self.compiler.reference(self.program.bitcode, level, self.program.name)

    def trajectory(self, sequence: Actions) -> Trajectory:
        """All counts on the way of a sequence."""
        return self.program.trajectory(self.compiler, sequence)

    def level(self, name: str | None = None) -> Int[np.ndarray, 1]:
        """A level of the compiler, by default that of size, as an assignment.

        Raises
        ------
        ConfigError
            The compiler has no such level.
        """
        name = name or self.compiler.size_level
        if name not in self.compiler.levels:
            raise ConfigError(f"{self.compiler.fingerprint} has no level '{name}'{nearest(name, self.compiler.levels)}")
        return np.array([-1 - self.compiler.levels.index(name)])

    def level_of(self, assignment: Int[np.ndarray, " passes"]) -> str | None:
        """The level that an assignment is; None where it is passes."""
        return self.compiler.levels[-1 - int(assignment[0])] if len(assignment) == 1 and assignment[0] < 0 else None

    def module(self, assignment: Int[np.ndarray, " passes"]) -> bytes:
        """The smallest module on the way, or that of a level, as bitcode."""
        bitcode, name = self.program.bitcode, self.program.name
        if level := self.level_of(assignment):
            return self.compiler.at_level(bitcode, level, name)
        passes = tuple(assignment.tolist())
        state = self.compiler.load(bitcode, name)
        for action in passes[: self.trajectory(passes).best_length]:
            state = state.apply(action)
        return state.bitcode()

    def objective(self, assignment: Int[np.ndarray, " passes"]) -> int:
        """The least count on the way (docs/papers/pass_order.md#(1)), or that of a level."""
        level = self.level_of(assignment)
        return self.count_at(level) if level else self.trajectory(tuple(assignment.tolist())).least()

    def is_feasible(self, assignment: Int[np.ndarray, " passes"]) -> bool:
        """Whether the compiler has all that it asks for."""
        if len(assignment) == 1 and assignment[0] < 0:
            return bool(-assignment[0] <= len(self.compiler.levels))
        return bool(np.all((assignment >= 0) & (assignment < len(self.compiler.actions))))
