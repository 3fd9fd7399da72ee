"""A sharding plan: which tables are split by columns, in which order, and which device holds each piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from runs.errors import InvalidProblem

DIM_UNIT = 4
"""Dimensions are multiples of it; a piece is halved where its half is one, too."""


def is_splittable(dim: int) -> bool:
    """True if the dimension can be halved (docs/papers/neuroshard.md#1)."""
    return dim // 2 >= DIM_UNIT and (dim // 2) % DIM_UNIT == 0 and dim % 2 == 0


@dataclass(frozen=True, eq=False)
class Pieces:
    """What plans put on devices, flat: piece i is ``dim[i]`` columns of table ``table[i]``, on ``shard[i]``.

    Parameters
    ----------
    table, dim, shard
        (pieces,) Shards of several plans are numbered through: plan p has shards p D to p D + D - 1.
    """

    table: Int[np.ndarray, " pieces"]
    dim: Int[np.ndarray, " pieces"]
    shard: Int[np.ndarray, " pieces"]

    @classmethod
    def of_plans(cls, plans: Sequence[Pieces], devices: int) -> Pieces:
        """The pieces of several plans for the same number of devices."""
        return cls(
            np.concatenate([plan.table for plan in plans]),
            np.concatenate([plan.dim for plan in plans]),
            np.concatenate([plan.shard + devices * number for number, plan in enumerate(plans)]),
        )


@dataclass(frozen=True)
class Plan:
    """Splits in their order, then a device for every piece.

    Parameters
    ----------
    splits
        Each halves the piece at its index and appends the other half at the end of the list, which begins with the tables.
    devices
        Of each piece.
    """

    splits: tuple[int, ...]
    devices: tuple[int, ...]

    @classmethod
    def of_array(cls, array: Int[np.ndarray, " length"]) -> Plan:
        """Inverse of :meth:`array`.

        Raises
        ------
        InvalidProblem
            It is no such array.
        """
        values = np.asarray(array)
        if values.ndim != 1 or len(values) < 2 or not np.array_equal(values, np.round(values)):
            raise InvalidProblem("a plan is an array of whole numbers: how many splits, the splits, the devices")
        numbers = [int(value) for value in values]
        if not 0 <= numbers[0] < len(numbers):
            raise InvalidProblem(f"a plan of {len(numbers)} numbers begins with {numbers[0]} splits")
        return cls(tuple(numbers[1 : 1 + numbers[0]]), tuple(numbers[1 + numbers[0] :]))

    def array(self) -> Int[np.ndarray, " length"]:
        """How many splits, the splits, the devices: what a solution carries as its assignment."""
        return np.array([len(self.splits), *self.splits, *self.devices], dtype=np.int64)

    def pieces(self, dims: Int[np.ndarray, " tables"], devices: int) -> Pieces:
        """What it puts where.

        Raises
        ------
        InvalidProblem
            A split or a device is out of range, a piece cannot be halved, or pieces and devices differ in number.
        """
        table, dim = split(dims, self.splits)
        if len(self.devices) != len(table):
            raise InvalidProblem(
                f"the plan has {len(self.devices)} devices for {len(table)} pieces ({len(dims)} tables, {len(self.splits)} "
                "splits); expected one each"
            )
        wrong = [device for device in self.devices if not 0 <= device < devices]
        if wrong:
            raise InvalidProblem(f"the plan uses device {wrong[0]}; there are {devices}, from 0")
        return Pieces(table, dim, np.array(self.devices, dtype=np.int64))


def split(
    dims: Int[np.ndarray, " tables"], splits: Sequence[int]
) -> tuple[Int[np.ndarray, " pieces"], Int[np.ndarray, " pieces"]]:
    """Table and dimension of every piece after some splits.

    Raises
    ------
    InvalidProblem
        A split is out of range or its piece cannot be halved.
    """
    table, dim = list(range(len(dims))), [int(value) for value in dims]
    for position, index in enumerate(splits):
        if not 0 <= index < len(dim):
            raise InvalidProblem(f"split {position} is of piece {index}; there are {len(dim)} pieces, from 0")
        if not is_splittable(dim[index]):
            raise InvalidProblem(
                f"split {position} halves piece {index}, table {table[index]}, of dimension {dim[index]}; a half must be a "
                f"multiple of {DIM_UNIT}"
            )
        dim[index] //= 2
        table.append(table[index])
        dim.append(dim[index])
    return np.array(table, dtype=np.int64), np.array(dim, dtype=np.int64)
