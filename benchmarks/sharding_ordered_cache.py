"""NeuroShard's search as its authors run it: one network call for each shard, with a cache that knows shards in order."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import numpy as np
import torch
from torch import nn

from data.regression.samples import SampleSource
from data.sharding.cost_samples import CommunicationCosts, ShardCosts
from data.sharding.features import names_of, piece_features
from data.sharding.oracles.analytical import gpu11
from data.sharding.plan import is_splittable
from data.sharding.problem import ShardingProblem
from data.sharding.table_law import law_tables
from data.sharding.tables import EmbeddingTables
from models.sharding.communication import CommunicationCost
from models.sharding.compute import ComputeCost
from solvers.sharding.predicted import PredictedCosts

Piece = tuple[int, int]
SAMPLES, EPOCHS = 2000, 12


class OrderedCacheSearch:
    """The beam and the grid, one list of pieces and one shard after the other; states are not merged.

    As in their code, each call standardises the features of the whole list, and a finished placement is priced once more.

    Parameters
    ----------
    problem
        What is searched.
    costs
        The networks.
    candidates, width, levels, scales
        N, K, L, M.
    """

    def __init__(
        self,
        problem: ShardingProblem,
        costs: PredictedCosts,
        candidates: int = 10,
        width: int = 3,
        levels: int = 10,
        scales: int = 11,
    ) -> None:
        self.problem, self.costs = problem, costs
        self.candidates, self.width, self.levels = candidates, width, levels
        self.scales = np.linspace(1.0, 1.5, scales)
        self.cache: dict[tuple[Piece, ...], float] = {}
        self.features = torch.empty(0)
        self.asked = 0
        self.best = np.inf

    def search(self) -> float:
        """The least predicted cost of a plan."""
        beam = [[(table, int(dim)) for table, dim in enumerate(self.problem.dims)]]
        self.inner(beam[0])
        for _ in range(self.levels):
            found: list[tuple[float, int, list[Piece]]] = []
            for pieces in beam:
                self.describe(pieces)
                for index in sorted(self.split_candidates(pieces)):
                    table, dim = pieces[index]
                    state = [*pieces, (table, dim // 2)]
                    state[index] = table, dim // 2
                    found.append((self.inner(state), len(found), state))
            beam = [state for _, _, state in sorted(found)[: self.width]]
        return self.best

    def split_candidates(self, pieces: list[Piece]) -> set[int]:
        """The largest and the dearest that can be split."""
        legal = [i for i, (_, dim) in enumerate(pieces) if is_splittable(dim)]
        by_size = sorted(legal, key=lambda i: -self.size(pieces[i]))[: self.candidates]
        by_cost = sorted(legal, key=lambda i: -self.price((i,), pieces))[: self.candidates]
        return {*by_size, *by_cost}

    def size(self, piece: Piece) -> int:
        """Bytes."""
        return int(self.problem.column_bytes[piece[0]]) * piece[1]

    def price(self, shard: tuple[int, ...], pieces: list[Piece]) -> float:
        """ms of some pieces of a list, by a call of the network unless these were asked for in this order."""
        self.asked += 1
        key = tuple(pieces[i] for i in shard)
        if key not in self.cache:
            self.cache[key] = self.call([shard])[0]
        return self.cache[key]

    @torch.no_grad()
    def call(self, shards: list[tuple[int, ...]]) -> list[float]:
        """One call of the network: features of the whole list are standardised, those of the shards taken and added up."""
        network = cast(ComputeCost, self.costs.pieces)
        features = (self.features - network.standardize.mean) / network.standardize.scale
        encoded = network.encoder(torch.cat([features[list(shard)] for shard in shards]))
        owner = torch.repeat_interleave(torch.arange(len(shards)), torch.tensor([len(shard) for shard in shards]))
        sums = torch.zeros(len(shards), encoded.shape[1], dtype=encoded.dtype).index_add_(0, owner, encoded)
        return network.price(sums).tolist()

    def describe(self, pieces: list[Piece]) -> None:
        """Look at another list."""
        table, dim = (np.array(column) for column in zip(*pieces, strict=True))
        self.features = torch.from_numpy(piece_features(self.problem.tables, table, dim, self.costs.features))

    def inner(self, pieces: list[Piece]) -> float:
        """The least predicted cost over the grid."""
        self.describe(pieces)
        order = sorted(range(len(pieces)), key=lambda i: -self.price((i,), pieces))
        least = min(self.greedy(pieces, order, scale) for scale in self.scales)
        self.best = min(self.best, least)
        return least

    def greedy(self, pieces: list[Piece], order: list[int], scale: float) -> float:
        """Pieces one after the other, each where the predicted cost so far is least; then the cost of the whole."""
        problem, devices = self.problem, range(self.problem.devices)
        shards: list[tuple[int, ...]] = [() for _ in devices]
        cost, memory, dims = [0.0 for _ in devices], [0 for _ in devices], [0 for _ in devices]
        limit = scale * float(problem.dims.sum()) / problem.devices
        room_of = problem.memory.tolist()
        for i in order:
            size, dim = self.size(pieces[i]), pieces[i][1]
            room = [d for d in devices if memory[d] + size <= room_of[d] and dims[d] + dim <= limit]
            if not room:
                return float("inf")
            d = min(room, key=lambda d: (cost[d], memory[d], d))
            shards[d] += (i,)
            cost[d] = self.price(shards[d], pieces)
            memory[d] += size
            dims[d] += dim
        held = [d for d in devices if shards[d]]
        compute = np.zeros((1, problem.devices))
        compute[0, held] = self.call([shards[d] for d in held])
        return float(self.costs.communicated(problem.tables, compute, np.array([dims], float)).plan[0])


@lru_cache(maxsize=1)
def pool() -> EmbeddingTables:
    """The tables that tasks are drawn from."""
    return law_tables(856, seed=0)


@lru_cache(maxsize=4)
def networks(devices: int) -> PredictedCosts:
    """The authors' networks and features after a short training: good enough to search as long as with better ones."""
    torch.manual_seed(0)
    compute = ComputeCost(names_of("authors"))
    _train(compute, ShardCosts(pool, gpu11(), "authors", per_shard=SAMPLES))
    communication = {}
    for direction in ("backward", "forward"):
        network = CommunicationCost(devices, starts=direction == "forward")
        _train(network, CommunicationCosts(pool, gpu11(), devices, direction, per_shard=SAMPLES))
        communication[direction] = network
    return PredictedCosts(compute, communication["backward"], communication["forward"], "authors")


def _train(network: ComputeCost | CommunicationCost, source: SampleSource) -> None:
    samples = source.shard(0)
    shared = {name: torch.as_tensor(values).float() for name, values in source.shared().items()}
    inputs = {name: torch.as_tensor(values) for name, values in samples.inputs.items()}
    inputs = {name: values.float() if values.is_floating_point() else values.long() for name, values in inputs.items()}
    targets = torch.as_tensor(samples.targets).float()
    network.fit_inputs(**shared, **inputs)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(targets)).split(128):
            optimizer.zero_grad()
            found = network(**shared, **{name: values[batch] for name, values in inputs.items()})
            nn.functional.mse_loss(found, targets[batch]).backward()
            optimizer.step()
