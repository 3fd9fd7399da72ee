"""What plans cost on their devices: one batched call for every oracle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from jaxtyping import Float

from data.sharding.plan import Pieces
from data.sharding.tables import EmbeddingTables


@dataclass(frozen=True, eq=False)
class DeviceCosts:
    """Milliseconds of one training step, by plan and device.

    Parameters
    ----------
    compute
        (plans, devices) lookups and updates of all tables that a device holds.
    backward, forward
        (plans, devices) all-to-all communication; forward counts the waiting for the device that begins last.
    """

    compute: Float[np.ndarray, "plans devices"]
    backward: Float[np.ndarray, "plans devices"]
    forward: Float[np.ndarray, "plans devices"]

    @property
    def device(self) -> Float[np.ndarray, "plans devices"]:
        """Their sum."""
        return self.compute + self.backward + self.forward

    @property
    def plan(self) -> Float[np.ndarray, " plans"]:
        """That of the slowest device, which all others wait for (docs/papers/neuroshard.md#(1))."""
        return array_namespace(self.compute).max(self.device, axis=1)


class CostOracle(ABC):
    """Says what plans cost, exactly or by measuring.

    ``skew`` says whether devices begin their forward communication when they are ready, or all together.
    """

    skew: bool = True

    def identity(self) -> Mapping[str, Any]:
        """What the answers depend on besides the settings, such as the machine that is measured; by default nothing."""
        return {}

    def check(self, devices: int) -> None:  # noqa: B027  # most are right for any
        """Refuse another number of devices than this is for; by default any is right."""

    @abstractmethod
    def compute(
        self, tables: EmbeddingTables, pieces: Pieces, shards: int, devices: int
    ) -> Float[np.ndarray, " shards"]:
        """Forward and backward computation of each shard, all its tables fused, in ms; 0 where it is empty.

        Shards are numbered through the devices, plan after plan.
        """

    @abstractmethod
    def backward_communication(
        self, tables: EmbeddingTables, dim_sums: Float[np.ndarray, "plans devices"]
    ) -> Float[np.ndarray, "plans devices"]:
        """Sending the gradients back."""

    @abstractmethod
    def forward_communication(
        self,
        tables: EmbeddingTables,
        dim_sums: Float[np.ndarray, "plans devices"],
        start: Float[np.ndarray, "plans devices"],
    ) -> Float[np.ndarray, "plans devices"]:
        """Sending the embeddings, from the moments ``start`` on."""

    def price(self, tables: EmbeddingTables, pieces: Pieces, devices: int, plans: int = 1) -> DeviceCosts:
        """All costs of plans whose shards are numbered through."""
        shape = plans, devices
        compute = self.compute(tables, pieces, plans * devices, devices).reshape(shape)
        sums = np.bincount(pieces.shard, weights=pieces.dim, minlength=plans * devices).reshape(shape)
        return self.communicated(tables, compute, sums)

    def communicated(
        self,
        tables: EmbeddingTables,
        compute: Float[np.ndarray, "plans devices"],
        dim_sums: Float[np.ndarray, "plans devices"],
    ) -> DeviceCosts:
        """All costs, once the computation is known: a device that is ready late makes the others wait.

        Of formulas and networks, torch's tensors have costs with gradients.
        """
        xp = array_namespace(compute)
        backward = self.backward_communication(tables, dim_sums)
        ready = compute + backward
        start = ready - xp.min(ready, axis=1, keepdims=True) if self.skew else xp.zeros_like(ready)
        return DeviceCosts(compute, backward, self.forward_communication(tables, dim_sums, start))
