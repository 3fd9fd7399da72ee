"""One task of placing embedding tables on devices, and what of a plan is checked and priced without any solver."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from data.sharding.oracles.oracle import CostOracle, DeviceCosts
from data.sharding.plan import DIM_UNIT, Pieces, Plan, is_splittable
from data.sharding.tables import EmbeddingTables
from runs.errors import InvalidProblem

GIB = 2**30
ANYWHERE = -1


@dataclass(frozen=True, eq=False)
class ShardingProblem:
    """Minimise the cost of the slowest device within the memory of each (docs/papers/neuroshard.md#1).

    Parameters
    ----------
    name
        Of the task.
    tables
        What is placed.
    dims
        (tables,) columns of each, positive multiples of 4.
    memory
        (devices,) bytes.
    oracle
        What a plan costs.
    bytes_per_weight
        4 for fp32; one number for all tables, or (tables,) one each.
    pinned
        (tables,) the device that holds all of a table, or -1.
    most_pieces
        (tables,) how many a table may be split into at most; 1 for never.
    """

    name: str
    tables: EmbeddingTables
    dims: Int[np.ndarray, " tables"]
    memory: Int[np.ndarray, " devices"]
    oracle: CostOracle
    bytes_per_weight: int | Int[np.ndarray, " tables"] = 4
    pinned: Int[np.ndarray, " tables"] | None = None
    most_pieces: Int[np.ndarray, " tables"] | None = None

    maximize = False

    @property
    def devices(self) -> int:
        """How many there are."""
        return len(self.memory)

    @cached_property
    def column_bytes(self) -> Int[np.ndarray, " tables"]:
        """Bytes of one column of each table."""
        return self.tables.rows.astype(np.int64) * self.bytes_per_weight

    def validate(self) -> None:
        """Check the tables and whether any plan could hold them.

        Raises
        ------
        InvalidProblem
            Names the table and the field; of memory, what is needed and what there is in GiB.
        ConfigError
            The oracle is of another number of devices.
        """
        self.tables.validate()
        self.oracle.check(self.devices)
        count = len(self.tables)
        for field in ("dims", "pinned", "most_pieces", "bytes_per_weight"):
            values = getattr(self, field)
            if isinstance(values, np.ndarray) and values.shape != (count,):
                raise InvalidProblem(f"{self.name}: {field} has shape {values.shape}; expected ({count},)")
        if not self.devices or (self.memory <= 0).any():
            raise InvalidProblem(
                f"{self.name}: memory is {self.memory.tolist()} bytes; expected a positive number a device"
            )
        self._refuse((self.dims < DIM_UNIT) | (self.dims % DIM_UNIT != 0), "dim", self.dims, "a positive multiple of 4")
        if self.pinned is not None:
            wrong = (self.pinned < ANYWHERE) | (self.pinned >= self.devices)
            self._refuse(wrong, "device", self.pinned, f"0 to {self.devices - 1}")
        if self.most_pieces is not None:
            self._refuse(self.most_pieces < 1, "max_pieces", self.most_pieces, "at least 1")
        self._refuse_what_cannot_fit()

    def _refuse(self, wrong: np.ndarray, field: str, values: np.ndarray, expected: str) -> None:
        if wrong.any():
            i = int(np.argmax(wrong))
            raise InvalidProblem(
                f"{self.name}: table '{self.tables.names[i]}': {field} is {values[i]}; expected {expected}"
            )

    def _refuse_what_cannot_fit(self) -> None:
        sizes = self.column_bytes * self.dims
        if sizes.sum() > self.memory.sum():
            i = int(np.argmax(sizes))
            raise InvalidProblem(
                f"{self.name}: the tables need {sizes.sum() / GIB:.4g} GiB, and the {self.devices} devices have "
                f"{self.memory.sum() / GIB:.4g}; the largest is '{self.tables.names[i]}' with {sizes[i] / GIB:.4g} GiB"
            )
        finest = self.column_bytes * np.array([self._finest_dim(i) for i in range(len(self.dims))])
        if (finest > self.memory.max()).any():
            i = int(np.argmax(finest))
            raise InvalidProblem(
                f"{self.name}: table '{self.tables.names[i]}' needs {finest[i] / GIB:.4g} GiB even in its finest "
                f"pieces, and no device has more than {self.memory.max() / GIB:.4g}"
            )
        if self.pinned is None:
            return
        held = self.pinned >= 0
        loads = np.bincount(self.pinned[held], weights=sizes[held], minlength=self.devices)
        if (loads > self.memory).any():
            device = int(np.argmax(loads > self.memory))
            names = ", ".join(self.tables.names[i] for i in np.flatnonzero(self.pinned == device)[:5])
            raise InvalidProblem(
                f"{self.name}: what is pinned to device {device} ({names}) needs {loads[device] / GIB:.4g} GiB of its "
                f"{self.memory[device] / GIB:.4g}"
            )

    def _finest_dim(self, table: int) -> int:
        """The dimension of the largest piece of a table that is split as finely as it may be."""
        dim, pieces = int(self.dims[table]), 1
        while is_splittable(dim) and (self.most_pieces is None or 2 * pieces <= self.most_pieces[table]):
            dim, pieces = dim // 2, 2 * pieces
        return dim

    def pieces(self, plan: Plan) -> Pieces:
        """What a plan puts where.

        Raises
        ------
        InvalidProblem
            The plan is of other tables or devices.
        """
        return plan.pieces(self.dims, self.devices)

    def memory_used(self, pieces: Pieces) -> Int[np.ndarray, " devices"]:
        """Bytes by device, exactly."""
        used = np.zeros(self.devices, dtype=np.int64)
        np.add.at(used, pieces.shard, self.column_bytes[pieces.table] * pieces.dim)
        return used

    def costs(self, plan: Plan) -> DeviceCosts:
        """What a plan costs by device, in ms."""
        return self.oracle.price(self.tables, self.pieces(plan), self.devices)

    def objective(self, assignment: Int[np.ndarray, " length"]) -> float:
        """ms of the slowest device of a plan in its array form."""
        return float(self.costs(Plan.of_array(assignment)).plan[0])

    def is_feasible(self, assignment: Int[np.ndarray, " length"]) -> bool:
        """True for a plan of these tables and devices that fits in every memory and keeps the rules of every table."""
        try:
            pieces = self.pieces(Plan.of_array(assignment))
        except InvalidProblem:
            return False
        if (self.memory_used(pieces) > self.memory).any():
            return False
        if self.most_pieces is not None:
            counts = np.bincount(pieces.table, minlength=len(self.dims))
            if (counts > self.most_pieces).any():
                return False
        if self.pinned is None:
            return True
        wanted = self.pinned[pieces.table]
        return bool(((wanted == ANYWHERE) | (wanted == pieces.shard)).all())

    def components(self, plan: Plan) -> dict[str, Float[np.ndarray, " devices"]]:
        """Memory in GiB and each part of the cost in ms, by device."""
        costs = self.costs(plan)
        return {
            "memory": self.memory_used(self.pieces(plan)) / GIB,
            "compute": costs.compute[0],
            "backward": costs.backward[0],
            "forward": costs.forward[0],
        }
