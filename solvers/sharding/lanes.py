"""Greedy placement, many at a time: a lane is one list of pieces and one limit of dimensions; all lanes advance together.

What a shard costs follows from sums over its pieces, so each distinct piece is described once, and placing one is an
addition and one price in each lane (docs/papers/neuroshard.md#3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from data.sharding.oracles.additive import AdditiveOracle, Described
from data.sharding.problem import ShardingProblem
from solvers.base import Meter

NOWHERE = UNKNOWN = -1
MOST = np.iinfo(np.int64).max


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
    """Place every list of pieces once for each scale; lane ``list * scales + scale``.

    The piece that costs most alone comes first. Each goes to the device whose cost so far is least (then whose memory is,
    then the first) among those with room, in memory and within ``scale`` times an equal share of all dimensions. A piece
    for which there is none is left over.
    """
    problem = pricing.problem
    kinds = pricing.kinds_of(table, dim)
    order = np.argsort(-pricing.single[kinds], axis=1, kind="stable")
    lists, pieces = table.shape
    lanes, devices = lists * len(scales), problem.devices
    limit = np.tile(scales, lists)[:, None] * (problem.dims.sum() / devices)
    added = np.zeros((lanes, devices, pricing.described.added.shape[1]))
    largest = np.zeros((lanes, devices, pricing.described.largest.shape[1]))
    memory, sums = np.zeros((lanes, devices), np.int64), np.zeros((lanes, devices))
    compute = np.zeros((lanes, devices))
    unplaced = np.zeros(lanes, np.int64)
    chosen = np.full((lanes, pieces), NOWHERE, np.int64)
    lane = np.arange(lanes)
    for step in range(pieces):
        if pricing.meter.exhausted:
            return None
        position = np.repeat(order[:, step], len(scales))
        kind = np.repeat(kinds[np.arange(lists), order[:, step]], len(scales))
        which, width = pricing.kinds[kind].T
        size = problem.column_bytes[which] * width
        room = (memory + size[:, None] <= problem.memory) & (sums + width[:, None] <= limit)
        if problem.pinned is not None:
            pinned = problem.pinned[which][:, None]
            room &= (pinned < 0) | (pinned == np.arange(devices))
        device = _cheapest(room, compute, memory)
        placed = room[lane, device]
        unplaced += np.where(placed, 0, size)
        at, on, new = lane[placed], device[placed], kind[placed]
        chosen[at, position[placed]] = on
        added[at, on] += pricing.described.added[new]
        largest[at, on] = np.maximum(largest[at, on], pricing.described.largest[new])
        memory[at, on] += size[placed]
        sums[at, on] += width[placed]
        compute[at, on] = pricing.price(added[at, on], largest[at, on], on)
    whole = unplaced == 0
    cost = np.full(lanes, np.inf)
    cost[whole] = pricing.model.communicated(problem.tables, compute[whole], sums[whole]).plan
    return Placed(chosen, cost, unplaced)


def _cheapest(
    room: np.ndarray, compute: Float[np.ndarray, "lanes devices"], memory: Int[np.ndarray, "lanes devices"]
) -> Int[np.ndarray, " lanes"]:
    """The device with room whose cost is least, then whose memory is, then the first; any where there is none."""
    cost = np.where(room, compute, np.inf)
    least = cost == cost.min(axis=1, keepdims=True)
    return np.argmin(np.where(least & room, memory, MOST), axis=1)
