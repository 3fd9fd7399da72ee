"""What really looks embedding tables up, forward and backward, behind one contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from data.sharding.lookups import Lookups, fingerprint, sample
from data.sharding.oracles.arena import Arena
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError


class Operation(ABC):
    """The tables of one shard, ready to be looked up again and again.

    Attributes
    ----------
    dim
        The sum of their dimensions.
    """

    dim: int
    gradients: list[Tensor] | None = None

    @abstractmethod
    def forward(self) -> list[Tensor]:
        """The pooled embeddings, (batch, dimensions) each; together in the order of the pieces."""

    def forget(self) -> None:  # noqa: B027  # some keep none
        """Drop the gradients of the last step."""

    def step(self) -> None:
        """Forward, and backward with a random gradient that is always the same."""
        outputs = self.forward()
        if self.gradients is None:
            self.gradients = [torch.randn_like(output) for output in outputs]
        torch.autograd.backward(outputs, self.gradients)


class Kernel(ABC):
    """One implementation of embedding tables.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.
    seed
        Of the rows that are looked up; the same for a table in every shard.
    memory_gib
        See :class:`~data.sharding.oracles.arena.Arena`.

    Raises
    ------
    ConfigError
        There is no such device here.
    """

    name: str
    package: str
    """Whose version the costs depend on."""

    def __init__(self, device: str = "cpu", seed: int = 0, memory_gib: float = 4.0) -> None:
        if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
            raise ConfigError(
                f"kernel.device is '{device}'; choose cpu{', or cuda' if torch.cuda.is_available() else ''}"
            )
        self.device, self.seed, self.memory_gib = device, seed, memory_gib
        self._drawn: dict[str, tuple[Tensor, Tensor]] = {}

    def __reduce__(self) -> tuple[Any, ...]:  # a process that collects has memory of its own
        return type(self), (self.device, self.seed, self.memory_gib)

    @cached_property
    def arena(self) -> Arena:
        """Of the weights on a processor."""
        return Arena(self.memory_gib)

    def operation(
        self, tables: EmbeddingTables, table: Int[np.ndarray, " pieces"], dim: Int[np.ndarray, " pieces"]
    ) -> Operation:
        """One that looks up some pieces, each with the columns ``dim`` of a table."""
        names = [fingerprint(tables, int(each)) for each in table]
        lookups = [self._lookups(tables, int(each), name) for each, name in zip(table, names, strict=True)]
        rows = [int(tables.rows[each]) for each in table]
        found = self._operation(names, lookups, rows, [int(each) for each in dim], tables.batch)
        found.dim = int(np.sum(dim))
        return found

    @abstractmethod
    def _operation(
        self,
        names: Sequence[str],
        lookups: Sequence[tuple[Tensor, Tensor]],
        rows: Sequence[int],
        dims: Sequence[int],
        batch: int,
    ) -> Operation:
        """Of tables that are known by their fingerprints."""

    def place(self, name: str, rows: int, dim: int, indices: Tensor) -> int:
        """Of a table's weights in the arena."""
        return self.arena.place(name, rows, dim, indices.numpy())

    def spare(self) -> None:
        """Give up memory, if much is held; operations of before must not be used after."""
        if "arena" in self.__dict__:
            self.arena.spare()

    def _lookups(self, tables: EmbeddingTables, table: int, name: str) -> tuple[Tensor, Tensor]:
        if name not in self._drawn:
            rng = np.random.default_rng([self.seed, int(name[:16], 16)])
            drawn: Lookups = sample(tables, table, tables.batch, rng)
            self._drawn[name] = (
                torch.from_numpy(drawn.indices).to(self.device),
                torch.from_numpy(drawn.offsets).to(self.device),
            )
        return self._drawn[name]
