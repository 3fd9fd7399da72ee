"""What a descent on costs knows of a problem: a cost with a gradient between the corners (docs/papers/surco.md#1)."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from data.queried import Queried

__all__ = ["Queried", "Relaxed"]


@runtime_checkable
class Relaxed(Protocol):
    """A problem whose cost has a value and a gradient at any x in [0, 1]^variables.

    A problem of ``data/`` may be one itself; else a view of it in ``solvers/<domain>`` is (tables on devices: a relaxed
    assignment priced by an oracle or by networks). ``assignment`` turns a vertex into what ``Solution.assignment`` holds.
    """

    name: str

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
