"""Functions to learn that cost nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from data.regression.samples import ABSENT, Samples, SampleSource


class Parabola(SampleSource):
    """The squared length of a point of the plane; counts the shards it is asked for."""

    per_shard = 8
    stratum = "first coordinate"
    presentation = ("shown",)

    def __init__(self, machine: str = "here", fails: int | None = None) -> None:
        self.machine, self.fails = machine, fails
        self.made: list[int] = []

    def shard(self, number: int) -> Samples:
        self.made.append(number)
        if number == self.fails:
            raise ZeroDivisionError("no such number")
        x = np.random.default_rng([5, number]).uniform(0.5, 2, size=(self.per_shard, 2))
        return Samples({"x": x}, (x**2).sum(1))

    def strata(self, samples: Samples) -> np.ndarray:
        return samples.inputs["x"][:, 0]

    def identity(self) -> Mapping[str, Any]:
        return {"machine": self.machine}


class Sums(SampleSource):
    """Sums of up to five of seven numbers."""

    per_shard = 8

    def shared(self) -> Mapping[str, np.ndarray]:
        return {"values": np.arange(1.0, 8.0)[:, None]}

    def shard(self, number: int) -> Samples:
        rng = np.random.default_rng([6, number])
        pieces = rng.integers(7, size=(self.per_shard, 5))
        pieces[np.arange(5) >= rng.integers(1, 5, size=self.per_shard)[:, None]] = ABSENT
        padded = np.append(np.arange(1.0, 8.0), 0.0)
        return Samples({"pieces": pieces.astype(np.int32)}, padded[pieces].sum(1))
