"""What a gradient-free search knows of its problem: points, and what they are worth."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from runs.record.checkpoint import State
from solvers.base import Meter

Point = np.ndarray
"""One array, which is never changed in place; its length may differ from point to point."""


class Space(ABC):
    """Where a search looks. All randomness comes from the generators that are passed in."""

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Point:
        """Any point."""

    @abstractmethod
    def neighbour(self, point: Point, rng: np.random.Generator) -> Point:
        """A point that differs a little; the same one where there is none."""

    @abstractmethod
    def crossover(self, first: Point, second: Point, rng: np.random.Generator) -> Point:
        """A point made of parts of two."""

    def key(self, point: Point) -> bytes:
        """What tells points apart: of equal ones the first alone is evaluated."""
        return point.tobytes()


@runtime_checkable
class Modelled(Protocol):
    """A space with a family of distributions, each described by an array of parameters of which averages make sense."""

    def prior(self) -> np.ndarray:
        """Parameters to begin with."""
        ...

    def draw(self, parameters: np.ndarray, rng: np.random.Generator) -> Point:
        """A point of the distribution."""
        ...

    def fit(self, points: Sequence[Point]) -> np.ndarray:
        """Parameters under which the points are likeliest."""
        ...


class Objective(ABC):
    """What points are worth; less is better, infinite what is no solution.

    ``most`` is how many evaluations a point takes at most; ``solved`` says that nothing is left to do. The two hooks at the
    end do nothing here.
    """

    most: int = 1
    solved: bool = False

    @abstractmethod
    def values(self, points: Sequence[Point], meter: Meter) -> Float[np.ndarray, " points"]:
        """All at once; adds to ``meter.evaluations`` what that took."""

    def memory(self) -> State:
        """All that :meth:`values` and its count of evaluations depend on besides the arguments."""
        return {}

    def restore(self, memory: State) -> None:  # noqa: B027
        """Go on with the memory of an interrupted search."""


class Memo:
    """Values by key, of which a checkpoint takes digests of 16 bytes."""

    def __init__(self) -> None:
        self._values: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: bytes) -> bool:
        return _digest(key) in self._values

    def __getitem__(self, key: bytes) -> float:
        return self._values[_digest(key)]

    def __setitem__(self, key: bytes, value: float) -> None:
        self._values[_digest(key)] = float(value)

    def memory(self) -> State:
        """All of it, as arrays."""
        digests = np.frombuffer(b"".join(self._values), np.uint8).reshape(-1, DIGEST)
        return {"digests": digests, "values": np.array(list(self._values.values()), float)}

    def restore(self, memory: State) -> None:
        """Inverse of :meth:`memory`."""
        self._values = dict(zip((row.tobytes() for row in memory["digests"]), memory["values"].tolist(), strict=True))


DIGEST = 16


def _digest(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=DIGEST).digest()
