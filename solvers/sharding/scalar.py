"""The greedy placement of one list of pieces, one at a time: the reference for the lanes, with the cache that it offers."""

from __future__ import annotations

import numpy as np

from data.sharding.oracles.additive import AdditiveOracle
from data.sharding.plan import Pieces
from data.sharding.problem import ShardingProblem


class ScalarEngine:
    """Prices a shard from its tables, once for each multiset of them.

    Attributes
    ----------
    asked, hits
        How many shards were priced, and how many of these were known.
    """

    def __init__(self, problem: ShardingProblem, model: AdditiveOracle) -> None:
        self.problem, self.model = problem, model
        self.cache: dict[tuple[int, tuple[tuple[int, int], ...]], float] = {}
        self.asked = self.hits = 0

    def price(self, shard: list[tuple[int, int]], device: int) -> float:
        """ms of some pieces (table, dim) on a device."""
        key = device, tuple(sorted(shard))
        self.asked += 1
        if key in self.cache:
            self.hits += 1
        else:
            table, dim = (np.array(column) for column in zip(*shard, strict=True))
            pieces = Pieces(table, dim, np.full(len(shard), device))
            devices = self.problem.devices
            self.cache[key] = float(self.model.compute(self.problem.tables, pieces, devices, devices)[device])
        return self.cache[key]

    def place(self, pieces: list[tuple[int, int]], scale: float) -> tuple[list[int] | None, float]:
        """Devices and predicted cost of the whole; None and infinity where a piece fits nowhere."""
        problem = self.problem
        single = [self.price([piece], 0) for piece in pieces]
        shards: list[list[tuple[int, int]]] = [[] for _ in range(problem.devices)]
        cost, memory, dims = [0.0] * problem.devices, [0] * problem.devices, [0] * problem.devices
        devices = [-1] * len(pieces)
        for i in sorted(range(len(pieces)), key=lambda i: -single[i]):
            table, dim = pieces[i]
            size = int(problem.column_bytes[table]) * dim
            limit = scale * problem.dims.sum() / problem.devices
            room = [
                d for d in range(problem.devices) if memory[d] + size <= problem.memory[d] and dims[d] + dim <= limit
            ]
            if not room:
                return None, float("inf")
            d = min(room, key=lambda d: (cost[d], memory[d], d))
            shards[d].append(pieces[i])
            cost[d] = self.price(shards[d], d)
            memory[d] += size
            dims[d] += dim
            devices[i] = d
        sums = np.array([dims], float)
        return devices, float(self.model.communicated(problem.tables, np.array([cost]), sums).plan[0])
