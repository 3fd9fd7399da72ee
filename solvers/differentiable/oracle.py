"""A solver of linear costs over the feasible set of a problem (docs/papers/surco.md#3.1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float


class Vertices(NamedTuple):
    """What an oracle returns for a batch of costs.

    Attributes
    ----------
    x
        (batch, variables) feasible points, 0 or 1 in every variable that is a choice.
    exact
        (batch,) False where the oracle stopped before it knew that nothing is cheaper: at its limit, or for good where it is
        a heuristic.
    """

    x: Float[np.ndarray, "batch variables"]
    exact: Bool[np.ndarray, " batch"]


class LinearOracle(ABC):
    """argmin of c'x over the feasible set: batched, deterministic, ties broken alike every time.

    What can be prepared once for a problem is kept for the problems that live (a weak dictionary, say); an oracle has no
    other memory, so that a batch is the same as its costs one by one, in any order.
    """

    @abstractmethod
    def solve(self, costs: Float[np.ndarray, "batch variables"], problem: Any) -> Vertices:
        """The cheapest feasible point for each row of costs.

        Raises
        ------
        InvalidProblem
            The feasible set is empty, or costs are of a kind that the oracle cannot take: names the first.
        SolverFailure
            No feasible point was found within the oracle's limit.
        """

    def check(self, problem: Any) -> None:  # noqa: B027  # most sets are known not to be empty
        """Refuse a problem without a feasible point, before anything is searched.

        Raises
        ------
        InvalidProblem
            Says what cannot be met.
        """
