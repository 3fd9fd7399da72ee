"""What a descent on costs knows of a problem: a cost with a gradient between the corners (docs/papers/surco.md#1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from data.queried import Queried
from runs.errors import InvalidProblem

__all__ = ["Invertible", "Judged", "Mixed", "Priced", "Queried", "Relaxed", "Valued", "relaxation", "vertex"]


@runtime_checkable
class Relaxed(Protocol):
    """A problem whose cost has a value and a gradient at any x in [0, 1]^variables.

    A problem of ``data/`` may be one itself; else a view of it in ``solvers/<domain>`` is (tables on devices: a relaxed
    assignment priced by an oracle or by networks). ``assignment`` turns a vertex into what ``Solution.assignment`` holds.
    """

    @property
    def name(self) -> str:
        """What reports call the instance."""
        ...

    @property
    def variables(self) -> int:
        """Length of x."""
        ...

    def query(self, x: Float[np.ndarray, "batch variables"]) -> Queried:
        """Value and gradient; a batch is the same as its rows one by one."""
        ...

    def assignment(self, x: Float[np.ndarray, " variables"]) -> np.ndarray:
        """A vertex as the problem's own array."""
        ...


@runtime_checkable
class Invertible(Protocol):
    """A relaxed problem whose own arrays are no vertices, but tell theirs."""

    def vertex(self, assignment: np.ndarray) -> Float[np.ndarray, " variables"]:
        """Inverse of ``assignment``."""
        ...


@runtime_checkable
class Judged(Protocol):
    """A relaxed problem that can be solved for good: all its windows are met, say."""

    def solved(self, x: Float[np.ndarray, " variables"], value: float) -> bool:
        """Whether nothing is left to do at a vertex of this cost."""
        ...


@runtime_checkable
class Priced(Protocol):
    """A relaxed problem that tells its objective from f, where that spares a query."""

    def objective_of(self, x: Float[np.ndarray, " variables"], value: float) -> float:
        """The problem's objective at a vertex of this cost."""
        ...


@runtime_checkable
class Valued(Protocol):
    """A relaxed problem whose value alone is cheaper than with its gradient."""

    def values(self, x: Float[np.ndarray, "batch variables"]) -> Float[np.ndarray, " batch"]:
        """f(x)."""
        ...


@runtime_checkable
class Mixed(Protocol):
    """A relaxed problem of which some variables are no choices."""

    @property
    def integer(self) -> Bool[np.ndarray, " variables"]:
        """Which are whole in every vertex."""
        ...


def relaxation(problem: Any, relax: Callable[[Any], Relaxed] | None = None) -> Relaxed:
    """The relaxed view of a problem: by ``relax``, else itself.

    Raises
    ------
    InvalidProblem
        It is none.
    """
    if relax is not None:
        return relax(problem)
    if isinstance(problem, Relaxed):
        return problem
    raise InvalidProblem(
        f"{getattr(problem, 'name', problem)}: a {type(problem).__name__} has no cost with a gradient; give one, or "
        "say with solver.relax how it gets one"
    )


def vertex(relaxed: Relaxed, assignment: np.ndarray) -> Float[np.ndarray, " variables"]:
    """x of an assignment."""
    return relaxed.vertex(assignment) if isinstance(relaxed, Invertible) else np.asarray(assignment, np.float64)
