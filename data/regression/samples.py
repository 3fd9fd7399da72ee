"""What a regression learns from: inputs by name with their targets, and where they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from runs.store.cache import npz_arrays, npz_bytes

ABSENT = -1
"""Fills the rows of a ragged input: places, in a table that all samples share, of so many things as a sample has."""
_TARGETS, _INPUT = "targets", "input."


@dataclass(frozen=True, eq=False)
class Samples:
    """Some samples.

    Parameters
    ----------
    inputs
        (samples, ...) each, by the name under which a network takes it; whole numbers padded by :data:`ABSENT` where samples
        have more and fewer of something.
    targets
        (samples,), or (samples, outputs).
    """

    inputs: Mapping[str, np.ndarray]
    targets: Float[np.ndarray, "samples ..."]

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, chosen: Int[np.ndarray, " some"] | slice) -> Samples:
        """Some of them, in that order."""
        return Samples({name: values[chosen] for name, values in self.inputs.items()}, self.targets[chosen])

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """All of several, one after the other."""
        names = parts[0].inputs
        return cls(
            {name: np.concatenate([part.inputs[name] for part in parts]) for name in names},
            np.concatenate([part.targets for part in parts]),
        )

    def to_bytes(self) -> bytes:
        """As an artifact."""
        return npz_bytes({_TARGETS: self.targets, **{f"{_INPUT}{name}": each for name, each in self.inputs.items()}})

    @classmethod
    def from_bytes(cls, payload: bytes) -> Samples:
        """Inverse of :meth:`to_bytes`."""
        arrays = npz_arrays(payload)
        inputs = {name.removeprefix(_INPUT): each for name, each in arrays.items() if name.startswith(_INPUT)}
        return cls(inputs, arrays[_TARGETS])


class SampleSource(ABC):
    """Makes samples a shard at a time: a shard depends on its number alone, so that more samples keep those there are.

    Attributes
    ----------
    per_shard
        Samples of a shard.
    stratum
        What errors are shown against, in words: "tables in the shard"; "" for nothing.
    presentation
        Names of settings that shape only what samples share: stored samples do not depend on them.
    """

    per_shard: int = 1024
    stratum: str = ""
    presentation: tuple[str, ...] = ()

    @abstractmethod
    def shard(self, number: int) -> Samples:
        """The samples of one shard."""

    def shared(self) -> Mapping[str, np.ndarray]:
        """Inputs that all samples have in common, such as the table their places belong to."""
        return {}

    def strata(self, samples: Samples) -> Float[np.ndarray, " samples"]:
        """The number of each sample that errors are shown against."""
        return np.zeros(len(samples))

    def identity(self) -> Mapping[str, Any]:
        """What else than the settings the targets depend on, such as the machine that measured them."""
        return {}
