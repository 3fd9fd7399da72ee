"""The rows and bounds of a problem's feasible set (docs/papers/surco.md#3.1)."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from data.ilp.problem import ILP
from runs.errors import InvalidProblem


@runtime_checkable
class Polyhedral(Protocol):
    """A problem whose feasible set is known as an integer program; the program's own costs are not read."""

    @property
    def polytope(self) -> ILP:
        """The same object at every call, so that what is prepared for it can be kept."""
        ...


def polytope(problem: Any) -> ILP:
    """The integer program of a problem, or itself.

    Raises
    ------
    InvalidProblem
        It has none.
    """
    if isinstance(problem, ILP):
        return problem
    if isinstance(problem, Polyhedral):
        return problem.polytope
    raise InvalidProblem(
        f"{getattr(problem, 'name', problem)}: the rows and bounds of a {type(problem).__name__} are not known; give it a "
        "'polytope', or use an oracle and a rule that need none"
    )
