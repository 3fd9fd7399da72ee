"""A program whose passes are to be ordered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from data.compiler.base import Compiler, Trajectory
from runs.errors import InvalidProblem


@dataclass(frozen=True)
class Program:
    """One module, as it was compiled without optimisation.

    Parameters
    ----------
    name
        ``family/program``, unique in its set.
    family
        What it belongs to; results are averaged within families first, and no family is on both sides of a split.
    bitcode
        Or IR as text, in UTF-8.
    """

    name: str
    family: str
    bitcode: bytes = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its content: what its items in caches are named by, since names repeat."""
        return hashlib.sha256(self.bitcode).hexdigest()

    def validate(self, compiler: Compiler) -> None:
        """Let a compiler read it.

        Raises
        ------
        InvalidProblem
            The compiler cannot, or finds no function in it.
        """
        compiler.load(self.bitcode, self.name)

    def objective(self, compiler: Compiler, sequence: tuple[int, ...]) -> int:
        """The least count on the way of a sequence, recomputed (docs/papers/pass_order.md#(1))."""
        return self.trajectory(compiler, sequence).least()

    def trajectory(self, compiler: Compiler, sequence: tuple[int, ...]) -> Trajectory:
        """All counts on the way of a sequence."""
        return compiler.trajectories(self.bitcode, [sequence], self.name)[0]


@dataclass(frozen=True)
class Programs:
    """What was read, and by name what was left out and why."""

    kept: tuple[Program, ...]
    refused: dict[str, str]

    def one_at_least(self, where: str) -> Programs:
        """These, if there are any.

        Raises
        ------
        InvalidProblem
            None is left; names the first that was refused.
        """
        if self.kept:
            return self
        first = next(iter(self.refused.values()), "it holds no .bc, .ll or .c file")
        raise InvalidProblem(f"{where}: no program is left of {len(self.refused)}; {first}")
