"""The one interface of all compilers (docs/papers/pass_order.md#2.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from jaxtyping import Int

from data.compiler.program_graph import ProgramGraph
from runs.errors import ConfigError, SolverFailure, nearest

Actions = tuple[int, ...]
"""Indices into a compiler's ``actions``: a pass sequence."""
CountKind = Literal["autophase", "inst_count"]
"""What is counted of a program; names of the counts are in :data:`data.compiler.counts.COUNTS`."""


@dataclass(frozen=True)
class Fingerprint:
    """What a count belongs to besides its program: part of the key of everything that is stored of a compiler.

    Parameters
    ----------
    compiler
        Its name.
    version
        Of its LLVM.
    space
        Name of the action space.
    actions
        Their names, in order.
    """

    compiler: str
    version: str
    space: str
    actions: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of all four, 16 hexadecimal digits."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def config(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "compiler": self.compiler,
            "version": self.version,
            "space": self.space,
            "actions": list(self.actions),
        }

    def __str__(self) -> str:
        return f"{self.compiler} {self.version}, {len(self.actions)} actions ({self.space})"


@dataclass(frozen=True)
class Failure:
    """Why a sequence ended before its end.

    Parameters
    ----------
    prefix
        The shortest that fails: its last action is the one that did.
    action
        Its name.
    cause
        The signal and the compiler's last words, or the limit that was exceeded.
    """

    prefix: Actions
    action: str
    cause: str

    def __str__(self) -> str:
        return f"pass {self.action} failed after {len(self.prefix) - 1} others ({self.cause})"


@dataclass(frozen=True)
class Trajectory:
    """How many instructions there are before the first pass of a sequence and after each.

    Parameters
    ----------
    counts
        The initial one first; one more than passes were applied.
    failure
        None for a sequence that was applied to its end.
    """

    counts: tuple[int, ...]
    failure: Failure | None = None

    def least(self, budget: int | None = None) -> int:
        """Instructions of the smallest module within ``budget`` passes (docs/papers/pass_order.md#(1))."""
        return min(self.counts if budget is None else self.counts[: budget + 1])

    @property
    def applied(self) -> int:
        """Passes that were applied, one that failed included."""
        return len(self.counts) - 1 + (self.failure is not None)

    @property
    def best_length(self) -> int:
        """Passes after which the least count was first seen."""
        return self.counts.index(min(self.counts))


class PassFailure(SolverFailure):
    """A pass could not be applied to a state; ``failure`` tells why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure}; leave this pass out here")
        self.failure = failure


class State(Protocol):
    """A module on its way: it stays as it is, whatever is applied to it."""

    def apply(self, action: int) -> State:
        """The state after one more pass; raises :class:`PassFailure`."""

    def count(self) -> int:
        """Instructions of all functions that it defines."""

    def bitcode(self) -> bytes:
        """The module itself."""

    def counts(self, kind: CountKind) -> Int[np.ndarray, " counts"]:
        """What a network sees of it without a graph (docs/papers/pass_order.md#2.3); raises InvalidProblem."""

    def graph(self) -> ProgramGraph:
        """What a network sees of it as a graph (docs/papers/pass_order.md#2.4); raises InvalidProblem."""


class Compiler(Protocol):
    """Applies passes; a resource that is given back by ``close``."""

    fingerprint: Fingerprint
    size_level: str  # the level that stands for the compiler's own optimisation of size
    levels: tuple[str, ...]  # all that it has
    reads: int  # newest major version of LLVM whose bitcode it is known to read

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the passes, in order."""

    def load(self, bitcode: bytes, name: str = "program") -> State:
        """The state before the first pass; ``name`` is for messages."""

    def trajectories(self, bitcode: bytes, sequences: Sequence[Actions], name: str = "program") -> list[Trajectory]:
        """Each sequence applied to the module; a pass that fails ends its own sequence alone."""

    def reference(self, bitcode: bytes, level: str | None = None, name: str = "program") -> int:
        """Instructions after one of the compiler's own levels, by default ``size_level``."""

    def command_line(self, actions: Actions) -> str:
        """A sequence as what runs it in a shell, where there is such a program."""

    def at_level(self, bitcode: bytes, level: str | None = None, name: str = "program") -> bytes:
        """The module after one of the compiler's own levels, as bitcode."""

    def close(self) -> None:
        """End what was started."""


def indices(compiler: Compiler, names: Sequence[str]) -> Actions:
    """Actions by their names.

    Raises
    ------
    ConfigError
        There is no such action.
    """
    known = {name: index for index, name in enumerate(compiler.actions)}
    for name in names:
        if name not in known:
            raise ConfigError(f"{compiler.fingerprint} has no action '{name}'{nearest(name, compiler.actions)}")
    return tuple(known[name] for name in names)
