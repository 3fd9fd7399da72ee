"""Greedy placement, many at a time: a lane is one list of pieces and one limit of dimensions; all lanes advance together.

What a shard costs follows from sums over its pieces, so each distinct piece is described once, and placing one is an
addition and one price in each lane (docs/papers/neuroshard.md#3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from data.sharding.oracles.additive import AdditiveOracle, Described
from data.sharding.problem import ShardingProblem
from solvers.base import Meter

NOWHERE = UNKNOWN = -1
MOST = np.iinfo(np.int64).max
LOOKS = 8
"""Steps between two looks at the budget."""


@dataclass(frozen=True, eq=False)
class Placed:
    """What greedy placement made of some lanes.

    Parameters
    ----------
    devices
        (lanes, pieces) of each piece as it stands in its list; -1 for a piece that fits nowhere.
    cost
        (lanes,) predicted ms of the slowest device; infinite where a piece is left over.
    unplaced
        (lanes,) bytes of what is left over.
    """

    devices: Int[np.ndarray, "lanes pieces"]
    cost: Float[np.ndarray, " lanes"]
    unplaced: Int[np.ndarray, " lanes"]


class Pricing:
    """The pieces of a problem as a cost model sees them, each distinct one described and priced once.

    Parameters
    ----------
    problem
        Whose tables; its own oracle is never asked.
    model
        Prices shards.
    meter
        Of the search.
    """

    def __init__(self, problem: ShardingProblem, model: AdditiveOracle, meter: Meter) -> None:
        model.check(problem.devices)
        self.problem, self.model, self.meter = problem, model, meter
        self.known = np.full((len(problem.dims), int(problem.dims.max()) + 1), UNKNOWN)
        self.kinds = np.empty((0, 2), dtype=np.int64)
        empty = model.describe(problem.tables, self.kinds[:, 0], self.kinds[:, 1])
        self.described = empty
        self.single = np.empty(0)

    def kinds_of(self, table: Int[np.ndarray, "lists pieces"], dim: Int[np.ndarray, "lists pieces"]) -> np.ndarray:
        """The number of each piece's kind, (lists, pieces); new kinds are described and priced alone."""
        numbers = self.known[table, dim]
        if (numbers == UNKNOWN).any():
            self._add(np.unique(np.stack([table, dim], axis=-1)[numbers == UNKNOWN], axis=0))
            numbers = self.known[table, dim]
        return numbers

    def _add(self, new: Int[np.ndarray, "kinds 2"]) -> None:
        self.known[tuple(new.T)] = len(self.kinds) + np.arange(len(new))
        described = self.model.describe(self.problem.tables, new[:, 0], new[:, 1])
        self.kinds = np.concatenate([self.kinds, new])
        self.described = Described(*(np.concatenate(pair) for pair in zip(self.described, described, strict=True)))
        self.single = np.concatenate([self.single, self.price(*described, np.zeros(len(new), np.int64))])

    def price(self, added: np.ndarray, largest: np.ndarray, device: np.ndarray) -> Float[np.ndarray, " shards"]:
        """ms of shards; each is an evaluation."""
        self.meter.evaluations += len(device)
        return self.model.fused(added, largest, device)


def place(
    pricing: Pricing,
    table: Int[np.ndarray, "lists pieces"],
    dim: Int[np.ndarray, "lists pieces"],
    scales: Float[np.ndarray, " scales"],
) -> Placed | None:
    """Place every list of pieces once for each of the ascending scales; lane ``list * scales + scale``.

    The piece that costs most alone comes first. Each goes to the device whose cost so far is least (then whose memory is,
    then the first) among those with room, in memory and within ``scale`` times an equal share of all dimensions. A piece
    for which there is none is left over.
    """
    kinds = pricing.kinds_of(table, dim)
    order = np.argsort(-pricing.single[kinds], axis=1, kind="stable")
    kinds = np.take_along_axis(kinds, order, axis=1)
    bundles = _Bundles(pricing, len(table), table.shape[1], scales)
    for step in range(table.shape[1]):
        if step % LOOKS == 0 and pricing.meter.exhausted:
            return None
        bundles.advance(kinds[:, step], order[:, step])
    return bundles.placed()


class _Bundles:
    """Lanes that have the same state as their scales have not told them apart yet: a list, and a range of scales.

    What fits under a scale fits under every larger one, so if the least and the largest scale of a range choose the same
    device, all between do; else the range is parted where the choice changes.
    """

    def __init__(self, pricing: Pricing, lists: int, pieces: int, scales: Float[np.ndarray, " scales"]) -> None:
        self.pricing, self.problem = pricing, pricing.problem
        self.scales, self.count = len(scales), lists
        self.limit = scales * (self.problem.dims.sum() / self.problem.devices)
        lanes, devices = lists * len(scales), self.problem.devices
        self.list, self.range = np.zeros(lanes, np.int64), np.zeros((2, lanes), np.int64)
        self.low, self.high = self.range
        self.list[:lists], self.high[:lists] = np.arange(lists), len(scales) - 1
        self.added = np.zeros((lanes, devices, pricing.described.added.shape[1]))
        self.largest = np.zeros((lanes, devices, pricing.described.largest.shape[1]))
        self.memory, self.sums = np.zeros((lanes, devices), np.int64), np.zeros((lanes, devices))
        self.compute = np.zeros((lanes, devices))
        self.unplaced = np.zeros(lanes, np.int64)
        self.chosen = np.full((lanes, pieces), NOWHERE, np.int64)
        self.state = (
            self.list, self.low, self.high, self.added, self.largest, self.memory, self.sums, self.compute, self.unplaced,
            self.chosen,
        )  # fmt: skip

    def advance(self, kind: Int[np.ndarray, " lists"], position: Int[np.ndarray, " lists"]) -> None:
        """Place a piece of each list."""
        which, width = self.pricing.kinds[kind].T
        size = self.problem.column_bytes[which] * width
        device = self._devices(which, width, size)
        of = self.list[: self.count]
        at = np.flatnonzero(device != NOWHERE)
        if len(at) < self.count:
            left = np.flatnonzero(device == NOWHERE)
            self.unplaced[left] += size[of[left]]
        on, mine = device[at], of[at]
        new, shard = kind[mine], at * self.problem.devices + on
        self.chosen[at, position[mine]] = on
        added = _by_shard(self.added)[shard] + self.pricing.described.added[new]
        _by_shard(self.added)[shard] = added
        largest = self.pricing.described.largest[new]
        if largest.size:
            largest = np.maximum(_by_shard(self.largest)[shard], largest)
            _by_shard(self.largest)[shard] = largest
        self.memory.reshape(-1)[shard] += size[mine]
        self.sums.reshape(-1)[shard] += width[mine]
        self.compute.reshape(-1)[shard] = self.pricing.price(added, largest, on)

    def placed(self) -> Placed:
        """What became of every lane."""
        n = self.count
        whole = self.unplaced[:n] == 0
        cost = np.full(n, np.inf)
        model, tables = self.pricing.model, self.problem.tables
        cost[whole] = model.communicated(tables, self.compute[:n][whole], self.sums[:n][whole]).plan
        first, held = self.list[:n] * self.scales + self.low[:n], self.high[:n] - self.low[:n] + 1
        lane = np.repeat(first - np.cumsum(held) + held, held) + np.arange(held.sum())
        owner = np.empty(len(lane), np.int64)
        owner[lane] = np.repeat(np.arange(n), held)
        return Placed(self.chosen[owner], cost[owner], self.unplaced[owner])

    def _devices(
        self, which: Int[np.ndarray, " lists"], width: Int[np.ndarray, " lists"], size: Int[np.ndarray, " lists"]
    ) -> Int[np.ndarray, " bundles"]:
        """Where each bundle places its piece, or nowhere; bundles whose scales do not agree are parted."""
        n, of = self.count, self.list[: self.count]
        fits = self.memory[:n] + size[of, None] <= self.problem.memory
        if self.problem.pinned is not None:
            pinned = self.problem.pinned[which[of], None]
            fits &= (pinned < 0) | (pinned == np.arange(self.problem.devices))
        needed = self.sums[:n] + width[of, None]

        compute, memory = self.compute[:n], self.memory[:n]
        strict, loose = _cheapest(fits & (needed <= self.limit[self.range[:, :n, None]]), compute, memory)
        apart = np.flatnonzero(strict != loose)
        if not len(apart):
            return strict
        under = fits[apart, None] & (needed[apart, None] <= self.limit[:, None])
        each = _cheapest(under, compute[apart, None], memory[apart, None])
        scale = np.arange(1, self.scales)
        within = (scale > self.low[apart, None]) & (scale <= self.high[apart, None])
        return np.concatenate([strict, self._part(apart, each, within & (each[:, 1:] != each[:, :-1]))])

    def _part(
        self,
        apart: Int[np.ndarray, " some"],
        each: Int[np.ndarray, "some scales"],
        begins: Bool[np.ndarray, "some scales-1"],
    ) -> Int[np.ndarray, " new"]:
        """A bundle of its own for every further run of scales that agree; gives the device of each."""
        row, scale = np.nonzero(begins)
        scale += 1
        parent = apart[row]
        new = slice(self.count, self.count + len(row))
        for array in self.state:
            array[new] = array[parent]
        self.count += len(row)
        last = np.append(row[1:] != row[:-1], True)
        first = np.append(True, row[1:] != row[:-1])
        self.low[new] = scale
        self.high[new] = np.where(last, self.high[parent], np.append(scale[1:], 0) - 1)
        self.high[parent[first]] = scale[first] - 1
        return each[row, scale]


def _by_shard(state: Float[np.ndarray, "lanes devices features"]) -> Float[np.ndarray, "shards features"]:
    return state.reshape(len(state) * state.shape[1], state.shape[2])


def _cheapest(
    room: np.ndarray, compute: Float[np.ndarray, "*bundles devices"], memory: Int[np.ndarray, "*bundles devices"]
) -> Int[np.ndarray, " *bundles"]:
    """The device with room whose cost is least, then whose memory is, then the first; -1 where there is none."""
    cost = np.where(room, compute, np.inf)
    least = cost.min(axis=-1)
    device = np.where(cost == least[..., None], memory, MOST).argmin(axis=-1)
    device[least == np.inf] = NOWHERE
    return device
