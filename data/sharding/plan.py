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

    @classmethod
    def of_pieces(cls, dims: Int[np.ndarray, " tables"], pieces: Pieces) -> Plan:
        """The plan that leaves these pieces, in any order.

        Raises
        ------
        InvalidProblem
            Halving the tables does not lead to these pieces: names the table by its index.
        """
        wanted: dict[tuple[int, int], list[int]] = {}
        for table, dim, device in zip(pieces.table.tolist(), pieces.dim.tolist(), pieces.shard.tolist(), strict=True):
            wanted.setdefault((table, dim), []).append(device)
        splits, devices = [], []
        current = [(table, int(dim)) for table, dim in enumerate(dims)]
        place = 0
        while place < len(current):  # widths only fall, so what is wanted of a width is taken by the first that have it
            table, dim = current[place]
            if wanted.get((table, dim)):
                devices.append(wanted[table, dim].pop(0))
                place += 1
                continue
            if not is_splittable(dim):
                raise InvalidProblem(
                    f"the pieces of table {table} are no halves of halves of its {dims[table]} columns: "
                    f"{sorted(pieces.dim[pieces.table == table].tolist(), reverse=True)}"
                )
            splits.append(place)
            current[place] = table, dim // 2
            current.append(current[place])
        left = [piece for piece, on in wanted.items() if on]
        if left:
            raise InvalidProblem(f"the pieces have {left[0][1]} columns of table {left[0][0]} that it does not have")
        return cls(tuple(splits), tuple(devices))

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


def column_offsets(dims: Int[np.ndarray, " tables"], splits: Sequence[int]) -> Int[np.ndarray, " pieces"]:
    """The first column of every piece after some splits: a piece that is halved keeps the lower half of its columns."""
    dim, first = [int(value) for value in dims], [0] * len(dims)
    for index in splits:
        dim[index] //= 2
        dim.append(dim[index])
        first.append(first[index] + dim[index])
    return np.array(first, dtype=np.int64)
