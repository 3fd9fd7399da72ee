"""Costs that are measured on this machine (docs/papers/neuroshard.md#2.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from data.sharding.lookups import fingerprint
from data.sharding.oracles.all_to_all import Communication
from data.sharding.oracles.kernel import Kernel
from data.sharding.oracles.machine import refuse_another, this_machine
from data.sharding.oracles.oracle import CostOracle
from data.sharding.oracles.timing import Timing, gradients
from data.sharding.plan import Pieces
from data.sharding.table_law import law_tables
from data.sharding.tables import EmbeddingTables
from runs.errors import SolverFailure, at_least
from runs.store.cache import ArtifactCache, Collection, json_bytes, json_value, npz_arrays, npz_bytes

SENTINEL_TABLES, SENTINEL_DIM = 8, 64
"""Of the sentinel: tables of the law."""
SENTINELS = 2
"""How often it stands among the shards of a block."""
ATTEMPTS = 4
"""At a block in which the sentinel moves."""

Shard = tuple[Int[np.ndarray, " pieces"], Int[np.ndarray, " pieces"]]
"""Table and dimension of its pieces."""


@dataclass(frozen=True, eq=False)
class Block:
    """Raw times in ms of shards that took turns with the sentinel.

    Parameters
    ----------
    shards
        (shards, repeats)
    sentinel
        (sentinels, repeats)
    """

    shards: Float[np.ndarray, "shards repeats"]
    sentinel: Float[np.ndarray, "sentinels repeats"]

    @property
    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """The sentinel in the first and in the second half of the turns."""
        half = -(-self.sentinel.shape[1] // 2)
        return self.sentinel[:, :half], self.sentinel[:, -half:]

    def costs(self, timing: Timing, reference: float) -> Float[np.ndarray, " shards"]:
        """ms at the speed at which the sentinel costs ``reference``."""
        return timing.estimate(self.shards) * reference / timing.estimate(self.sentinel).mean()


class MeasuredOracle(CostOracle):
    """Measures the shards of the plans it is asked for, each once on a machine of this make, and keeps the raw times.

    Shards are measured in blocks, in turns with a sentinel, a shard that is the same in all blocks. A block is
    dropped in which it costs over ``timing.steady`` more or less in the second half of the turns than in the first. Other
    programs slow whole blocks down: costs are those at the speed at which the sentinel costs what it did in the first block
    of all.

    Parameters
    ----------
    kernel
        What looks the tables up.
    communication
        Prices the all-to-all.
    timing
        How often, and what counts.
    cache
        Folder of the artifact cache; None: nothing is kept beyond this oracle.
    block
        Shards that are measured side by side.
    machine
        What :attr:`machine` must be; None: whatever it is.
    skew
        See :class:`~data.sharding.oracles.oracle.CostOracle`.

    Raises
    ------
    ConfigError
        ``machine`` is another one.
    """

    def __init__(
        self,
        kernel: Kernel,
        communication: Communication,
        timing: Timing | None = None,
        cache: str | Path | None = None,
        block: int = 64,
        machine: str | None = None,
        skew: bool = True,
    ) -> None:
        at_least("device.", block=(block, 1))
        self.machine = this_machine(kernel.package, kernel.device)
        refuse_another(machine, self.machine)
        self.kernel, self.communication, self.timing = kernel, communication, timing or Timing()
        self.block, self.skew = block, skew
        self.cache = None if cache is None else ArtifactCache(cache)
        self.known: dict[str, float] = {}
        self.references: dict[int, float] = {}

    def identity(self) -> Mapping[str, Any]:
        """Machine, kernel and timing."""
        return {**self._of_computation(), "communication": self.communication.identity()}

    def _of_computation(self) -> dict[str, Any]:
        kernel = {"name": self.kernel.name, "device": self.kernel.device, "seed": self.kernel.seed}
        sentinel = {"tables": SENTINEL_TABLES, "dim": SENTINEL_DIM}
        return {"machine": self.machine, "kernel": kernel, "timing": asdict(self.timing), "sentinel": sentinel}

    def check(self, devices: int) -> None:
        self.communication.check(devices)

    def compute(
        self, tables: EmbeddingTables, pieces: Pieces, shards: int, devices: int
    ) -> Float[np.ndarray, " shards"]:
        """Forward and backward pass in ms.

        Raises
        ------
        SolverFailure
            The machine is too restless to measure on.
        """
        names = [fingerprint(tables, table) for table in range(len(tables))]
        numbers, begins = np.unique(pieces.shard[order := np.argsort(pieces.shard, kind="stable")], return_index=True)
        held = [_sorted(names, pieces, part) for part in np.split(order, begins[1:])] if len(order) else []
        keys = [_key(names, *shard) for shard in held]
        found = np.zeros(shards)
        found[numbers] = self._costs(tables, dict(zip(keys, held, strict=True)), keys)
        return found

    def backward_communication(
        self, tables: EmbeddingTables, dim_sums: Float[np.ndarray, "plans devices"]
    ) -> Float[np.ndarray, "plans devices"]:
        return self.communication.backward_communication(tables, dim_sums)

    def forward_communication(
        self,
        tables: EmbeddingTables,
        dim_sums: Float[np.ndarray, "plans devices"],
        start: Float[np.ndarray, "plans devices"],
    ) -> Float[np.ndarray, "plans devices"]:
        return self.communication.forward_communication(tables, dim_sums, start)

    @gradients()
    def measure(self, tables: EmbeddingTables, shards: Sequence[Shard]) -> Block:
        """Shards that hold something, measured now as one block.

        Raises
        ------
        SolverFailure
            The sentinel moves in every attempt.
        """
        self.kernel.spare()
        table, dim = np.arange(SENTINEL_TABLES), np.full(SENTINEL_TABLES, SENTINEL_DIM)
        sentinel = self.kernel.operation(law_tables(SENTINEL_TABLES, 0, tables.batch), table, dim)
        operations = [*[sentinel] * SENTINELS, *(self.kernel.operation(tables, *shard) for shard in shards)]
        moved = []
        for attempt in range(ATTEMPTS):
            raw = self.timing.run(operations, self.kernel.device, seed=attempt)
            block = Block(raw[SENTINELS:], raw[:SENTINELS])
            first, second = (float(self.timing.estimate(half).mean()) for half in block.halves)
            if abs(first - second) <= self.timing.steady * min(first, second):
                return block
            moved.append(f"from {first:.4g} to {second:.4g}")
        raise SolverFailure(
            f"in a block of measurements the shard that stays the same moved {', '.join(moved)} ms, and a block in which it "
            f"moves by over {self.timing.steady:.0%} is dropped: measure while less is running, or raise "
            "device.timing.repeats"
        )

    def _costs(self, tables: EmbeddingTables, shards: Mapping[str, Shard], keys: Sequence[str]) -> list[float]:
        """By key: known, stored or measured."""
        stored = self._collection(tables.batch)
        missing = []
        for key in shards:
            if key not in self.known:
                payload = None if stored is None else stored.get(key)
                if payload is None:
                    missing.append(key)
                else:
                    self._learn(key, payload, tables.batch)
        for begin in range(0, len(missing), self.block):
            chunk = missing[begin : begin + self.block]
            block = self.measure(tables, [shards[key] for key in chunk])
            for key, raw in zip(chunk, block.shards, strict=True):
                payload = npz_bytes({"shards": raw[None], "sentinel": block.sentinel})
                if stored is not None:
                    with stored.claim(key) as mine:
                        if mine and stored.get(key) is None:
                            stored.put(key, payload)
                    payload = stored.get(key) or payload  # another process may have been first
                self._learn(key, payload, tables.batch)
        return [self.known[key] for key in keys]

    def _learn(self, key: str, payload: bytes, batch: int) -> None:
        block = Block(**npz_arrays(payload))
        self.known[key] = float(block.costs(self.timing, self._reference(batch, block))[0])

    def _reference(self, batch: int, block: Block) -> float:
        """What the sentinel cost in the first block of all."""
        if batch not in self.references:
            cost = json_bytes(float(self.timing.estimate(block.sentinel).mean()))
            stored = self._collection(batch)
            self.references[batch] = float(
                json_value(cost if stored is None else stored.get_or_make("sentinel", lambda: cost))
            )
        return self.references[batch]

    def _collection(self, batch: int) -> Collection | None:
        """Of this machine, kernel and batch alone."""
        return (
            None if self.cache is None else self.cache.collection("shards", {**self._of_computation(), "batch": batch})
        )


def _sorted(names: Sequence[str], pieces: Pieces, part: Int[np.ndarray, " some"]) -> Shard:
    """The pieces of one shard, in the same order whatever order they came in."""
    order = sorted(part.tolist(), key=lambda i: (names[int(pieces.table[i])], int(pieces.dim[i])))
    return pieces.table[order], pieces.dim[order]


def _key(names: Sequence[str], table: np.ndarray, dim: np.ndarray) -> str:
    """Of the pieces of a shard, whatever their order and their tables' names."""
    content = sorted((names[int(each)], int(width)) for each, width in zip(table, dim, strict=True))
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]
