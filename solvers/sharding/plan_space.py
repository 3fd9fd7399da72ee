"""The plans of a problem as a space to search: pieces move, swap, are halved and joined (docs/papers/neuroshard.md#3.4)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from data.sharding.oracles.oracle import CostOracle
from data.sharding.plan import Pieces, Plan, is_splittable
from data.sharding.problem import ANYWHERE, ShardingProblem
from runs.errors import SolverFailure
from runs.record.checkpoint import State
from solvers.base import Meter
from solvers.gradient_free.space import Memo, Objective, Point, Space
from solvers.sharding.packing import pack

TRIES = 50
"""Draws of a change, or of a plan, before there is taken to be none."""
PACKING_SECONDS = 2.0


class Held(NamedTuple):
    """A plan's pieces as lists, and the bytes that each device holds."""

    table: list[int]
    dim: list[int]
    device: list[int]
    used: Int[np.ndarray, " devices"]


class PlanSpace(Space):
    """Plans that fit, in the array form of :class:`~data.sharding.plan.Plan`; equal plans are equal arrays.

    Parameters
    ----------
    problem
        Whose plans.
    splits
        Whether pieces are halved and joined, too.
    """

    def __init__(self, problem: ShardingProblem, splits: bool = True) -> None:
        self.problem = problem
        self.changes = (self._move, self._swap, self._split, self._join) if splits else (self._move, self._swap)
        self.chances = (0.4, 0.4, 0.1, 0.1) if splits else (0.5, 0.5)
        self._packing: Point | None = None

    def point(self, pieces: Pieces) -> Point:
        """The array of the plan that leaves these pieces."""
        order = np.lexsort((pieces.shard, -pieces.dim, pieces.table))
        ordered = Pieces(pieces.table[order], pieces.dim[order], pieces.shard[order])
        return Plan.of_pieces(self.problem.dims, ordered).array()

    def sample(self, rng: np.random.Generator) -> Point:
        """Tables in any order, each on any device with room; where there is none, its halves, and so on.

        Where no draw of many fits, an exact packing.

        Raises
        ------
        SolverFailure
            There is none, or none is found in seconds.
        """
        if self._packing is None:
            for _ in range(TRIES):
                held = self._sampled(rng)
                if held is not None:
                    return self._point(held)
            plan = pack(self.problem, PACKING_SECONDS, rng)
            if plan is None:
                raise SolverFailure(f"{self.problem.name}: no plan is found that fits; give the devices more memory")
            self._packing = self.point(self.problem.pieces(plan))
        return self._packing

    def _sampled(self, rng: np.random.Generator) -> Held | None:
        problem = self.problem
        held = Held([], [], [], np.zeros(problem.devices, np.int64))
        counts = np.ones(len(problem.dims), np.int64)
        order = rng.permutation(len(problem.dims))
        if problem.pinned is not None:
            order = order[np.argsort(problem.pinned[order] == ANYWHERE, kind="stable")]
        waiting = [(int(table), int(problem.dims[table])) for table in order[::-1]]
        while waiting:
            table, dim = waiting.pop()
            room = self._room(held, table, dim)
            if len(room):
                device = int(rng.choice(room))
                for column, value in zip((held.table, held.dim, held.device), (table, dim, device), strict=True):
                    column.append(value)
                held.used[device] += problem.column_bytes[table] * dim
            elif self._may_split(table, dim, int(counts[table])):
                counts[table] += 1
                waiting += [(table, dim // 2)] * 2
            else:
                return None
        return held

    def neighbour(self, point: Point, rng: np.random.Generator) -> Point:
        """One piece elsewhere, two swapped, one halved or two joined; the plan still fits."""
        held = self._held(point)
        for _ in range(TRIES):
            change = self.changes[rng.choice(len(self.changes), p=self.chances)]
            if (changed := change(held, rng)) is not None:
                return self._point(changed)
        return point

    def crossover(self, first: Point, second: Point, rng: np.random.Generator) -> Point:
        """Each table as it lies in either plan; the first plan where no draw of many fits."""
        parents = [self.problem.pieces(Plan.of_array(point)) for point in (first, second)]
        for _ in range(TRIES):
            chosen = rng.integers(2, size=len(self.problem.dims))
            taken = [chosen[pieces.table] == number for number, pieces in enumerate(parents)]
            columns = (
                np.concatenate([getattr(pieces, name)[mask] for pieces, mask in zip(parents, taken, strict=True)])
                for name in ("table", "dim", "shard")
            )
            child = Pieces(*columns)
            if (self.problem.memory_used(child) <= self.problem.memory).all():
                return self.point(child)
        return first

    def _held(self, point: Point) -> Held:
        pieces = self.problem.pieces(Plan.of_array(point))
        used = self.problem.memory_used(pieces)
        return Held(pieces.table.tolist(), pieces.dim.tolist(), pieces.shard.tolist(), used)

    def _point(self, held: Held) -> Point:
        return self.point(Pieces(*(np.array(column, np.int64) for column in held[:3])))

    def _room(self, held: Held, table: int, dim: int) -> Int[np.ndarray, " some"]:
        """Devices that may take a piece."""
        pinned = ANYWHERE if self.problem.pinned is None else int(self.problem.pinned[table])
        fits = held.used + self.problem.column_bytes[table] * dim <= self.problem.memory
        return np.flatnonzero(fits) if pinned == ANYWHERE else np.array([pinned])[fits[[pinned]]]

    def _may_split(self, table: int, dim: int, count: int) -> bool:
        most = self.problem.most_pieces
        return len(self.changes) > 2 and is_splittable(dim) and (most is None or count < most[table])

    def _move(self, held: Held, rng: np.random.Generator) -> Held | None:
        i = int(rng.integers(len(held.table)))
        room = self._room(held, held.table[i], held.dim[i])
        room = room[room != held.device[i]]
        if not len(room):
            return None
        device = held.device.copy()
        device[i] = int(rng.choice(room))
        return held._replace(device=device)

    def _swap(self, held: Held, rng: np.random.Generator) -> Held | None:
        i, j = (int(k) for k in rng.integers(len(held.table), size=2))
        if held.device[i] == held.device[j] or (held.table[i], held.dim[i]) == (held.table[j], held.dim[j]):
            return None
        pinned = self.problem.pinned
        if pinned is not None and (pinned[held.table[i]] >= 0 or pinned[held.table[j]] >= 0):
            return None
        sizes = [self.problem.column_bytes[held.table[k]] * held.dim[k] for k in (i, j)]
        used = held.used.copy()
        used[held.device[i]] += sizes[1] - sizes[0]
        used[held.device[j]] += sizes[0] - sizes[1]
        if (used > self.problem.memory).any():
            return None
        device = held.device.copy()
        device[i], device[j] = device[j], device[i]
        return held._replace(device=device)

    def _split(self, held: Held, rng: np.random.Generator) -> Held | None:
        i = int(rng.integers(len(held.table)))
        table, half = held.table[i], held.dim[i] // 2
        if not self._may_split(table, held.dim[i], held.table.count(table)):
            return None
        dim = held.dim.copy()
        dim[i] = half
        used = held.used.copy()
        used[held.device[i]] -= self.problem.column_bytes[table] * half
        room = self._room(held._replace(used=used), table, half)
        if not len(room):
            return None
        return Held([*held.table, table], [*dim, half], [*held.device, int(rng.choice(room))], used)

    def _join(self, held: Held, rng: np.random.Generator) -> Held | None:
        i = int(rng.integers(len(held.table)))
        twins = [
            j for j in range(len(held.table)) if j != i and (held.table[j], held.dim[j]) == (held.table[i], held.dim[i])
        ]
        if not twins:
            return None
        j = int(rng.choice(twins))
        used = held.used.copy()
        used[held.device[j]] -= self.problem.column_bytes[held.table[j]] * held.dim[j]
        if held.device[i] != held.device[j] and held.device[i] not in self._room(
            held._replace(used=used), held.table[i], held.dim[i]
        ):
            return None
        dim = held.dim.copy()
        dim[i] *= 2
        kept = [k for k in range(len(dim)) if k != j]
        table, dim, device = ([column[k] for k in kept] for column in (held.table, dim, held.device))
        return Held(table, dim, device, used)


class PlanCosts(Objective):
    """What plans cost by a model; an evaluation is one shard priced, and a shard that is known costs nothing.

    Parameters
    ----------
    problem
        Whose plans.
    model
        Any oracle, or a cost model.
    """

    def __init__(self, problem: ShardingProblem, model: CostOracle) -> None:
        self.problem, self.model = problem, model
        self.known = Memo()

    @property
    def most(self) -> int:  # type: ignore[override]
        """The shards of a plan."""
        return self.problem.devices

    def values(self, points: list[Point], meter: Meter) -> Float[np.ndarray, " points"]:  # type: ignore[override]
        """ms of the slowest device of each plan."""
        problem, devices = self.problem, self.problem.devices
        plans = [problem.pieces(Plan.of_array(point)) for point in points]
        keys = [self._keys(pieces) for pieces in plans]
        fresh = {key: place for place, key in enumerate(key for plan in keys for key in plan) if key not in self.known}
        whole = Pieces.of_plans(plans, devices)
        if fresh:
            meter.evaluations += len(fresh)
            at = np.full(len(points) * devices, -1)
            shards = np.array(list(fresh.values()))
            at[shards] = np.arange(len(shards)) * devices + shards % devices  # a shard's number tells its device
            asked = at[whole.shard] >= 0
            found = self.model.compute(
                problem.tables,
                Pieces(whole.table[asked], whole.dim[asked], at[whole.shard[asked]]),
                len(shards) * devices,
                devices,
            )
            for key, shard in fresh.items():
                self.known[key] = float(found[at[shard]])
        compute = np.array([[self.known[key] for key in plan] for plan in keys])
        sums = np.bincount(whole.shard, weights=whole.dim, minlength=len(points) * devices).reshape(compute.shape)
        return self.model.communicated(problem.tables, compute, sums).plan

    def _keys(self, pieces: Pieces) -> list[bytes]:
        """What tells the shards of a plan apart: the device and its pieces, in any order."""
        order = np.lexsort((pieces.dim, pieces.table, pieces.shard))
        pairs = np.stack([pieces.table[order], pieces.dim[order]], axis=1)
        ends = np.searchsorted(pieces.shard[order], np.arange(self.problem.devices + 1))
        return [
            device.to_bytes(4, "little") + pairs[ends[device] : ends[device + 1]].tobytes()
            for device in range(self.problem.devices)
        ]

    def memory(self) -> State:
        return self.known.memory()

    def restore(self, memory: State) -> None:
        self.known.restore(memory)
