"""How far the costs are moved along dloss/dx: lambda, given or chosen per step (docs/papers/surco.md#3.2)."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float

from runs.errors import ConfigError, at_least
from solvers.differentiable.calls import OracleCalls

WHERE = "rule."


class Interpolation(ABC):
    """Chooses lambda for each row."""

    @abstractmethod
    def strengths(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
    ) -> Float[np.ndarray, " batch"]:
        """lambda; 0 for a row whose slopes are all 0, where nothing is to be asked."""


class Fixed(Interpolation):
    """The same lambda at every step.

    Raises
    ------
    ConfigError
        It is not above 0.
    """

    def __init__(self, strength: float) -> None:
        self.strength = positive("interpolation", strength)

    def strengths(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
    ) -> Float[np.ndarray, " batch"]:
        return np.where(slopes.any(axis=1), self.strength, 0.0)


class Largest(Interpolation):
    """The lambda with which no cost moves by more than ``size``, and one does: max |lambda G| = size.

    Raises
    ------
    ConfigError
        The size is not above 0.
    """

    def __init__(self, size: float) -> None:
        self.size = positive("interpolation.size", size)

    def strengths(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
    ) -> Float[np.ndarray, " batch"]:
        largest = np.abs(slopes).max(axis=1)
        return np.divide(self.size, largest, out=np.zeros(len(slopes)), where=largest > 0)


class Changed(Interpolation):
    """The least lambda found with which the answer changes in ``variables`` of them, or more.

    From the one of :class:`Largest` it is doubled until the answer changes in so many, or halved while it does, and then
    bisected on a logarithmic scale. Where no trial changes as many, the largest one that was tried.

    Parameters
    ----------
    variables
        How many are to change.
    size
        Where it begins: the most that a cost moves.
    tries
        Calls of the oracle for a row.

    Raises
    ------
    ConfigError
        A setting is out of range.
    """

    def __init__(self, variables: int = 2, size: float = 1.0, tries: int = 8) -> None:
        at_least(f"{WHERE}interpolation.", variables=(variables, 1), tries=(tries, 1))
        self.variables, self.tries, self.first = variables, tries, Largest(size)

    def strengths(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
    ) -> Float[np.ndarray, " batch"]:
        tried = self.first.strengths(costs, x, slopes, oracle)
        moving = np.flatnonzero(tried > 0)
        below, above = np.zeros(len(tried)), np.full(len(tried), np.inf)
        for _ in range(self.tries if len(moving) else 0):
            answer = oracle(costs[moving] + tried[moving, None] * slopes[moving])
            enough = np.count_nonzero(answer != x[moving], axis=1) >= self.variables
            above[moving[enough]] = tried[moving[enough]]
            below[moving[~enough]] = tried[moving[~enough]]
            tried[moving] = _between(below[moving], above[moving])
        return np.where(np.isfinite(above), above, below)


def _between(below: Float[np.ndarray, " rows"], above: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    with np.errstate(invalid="ignore"):
        inside = np.sqrt(below * above)
    return np.where(np.isinf(above), 2 * below, np.where(below == 0, above / 2, inside))


def interpolation(given: float | Interpolation) -> Interpolation:
    """A number stands for a fixed lambda."""
    return given if isinstance(given, Interpolation) else Fixed(given)


def positive(name: str, value: float) -> float:
    """The value, if it is above 0.

    Raises
    ------
    ConfigError
        Names the setting of the rule.
    """
    if isinstance(value, str) or not value > 0:
        raise ConfigError(f"{WHERE}{name} is {value!r}; it must be above 0")
    return float(value)
