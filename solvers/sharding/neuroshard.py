"""NeuroShard's search: a beam over column splits, and in each state a grid of greedy placements on predicted costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from data.sharding.oracles.additive import AdditiveOracle
from data.sharding.plan import Plan, is_splittable, split
from data.sharding.problem import GIB, ShardingProblem
from runs.errors import ConfigError, at_least
from runs.record.checkpoint import Checkpoint
from solvers.base import Budget, Solution
from solvers.beam import beam
from solvers.sharding.answer import Held, answer
from solvers.sharding.cost_model import cost_model
from solvers.sharding.lanes import Placed, Pricing, place
from solvers.sharding.last_resort import packed

OVERFLOW = 1e6
"""Ranks every state in which something is left over behind every state in which nothing is."""

Splits = tuple[int, ...]


class NeuroShard:
    """Beam search over splits, each state placed greedily under several limits (docs/papers/neuroshard.md#3.1).

    The search asks the cost model alone. What the problem's own oracle says of the plans that it held after each level is
    looked at once, at the end; the trace is of these prices, and as the model decides what is held it may rise.
    ``log`` has a row for each level: ``seconds``, ``evaluations`` (shards priced), ``states`` and the least ``predicted``
    cost so far in ms.

    Parameters
    ----------
    candidates
        N: how many of the largest, and how many of the dearest pieces of a state are split.
    width
        K: states that are kept of each level.
    levels
        L: splits at most; 0 is no beam.
    scales
        M: limits of dimensions, evenly spaced from 1 to ``largest_scale`` times an equal share; 0 is no limit.
    largest_scale
        The last of them.
    by
        Which pieces are split: ``memory``, ``cost`` or ``both``.
    infeasible_key
        How states in which something is left over are ranked: ``overflow`` by how much that is, ``infinite`` not at all, as
        in the authors' code.
    on_oracle
        Search on the problem's own oracle instead of a model.
    last_resort
        What is done where no state of the beam fits: ``packing`` (:func:`solvers.sharding.last_resort.packed`), or None for
        nothing.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    def __init__(
        self,
        candidates: int = 10,
        width: int = 3,
        levels: int = 10,
        scales: int = 11,
        largest_scale: float = 1.5,
        by: str = "both",
        infeasible_key: str = "overflow",
        on_oracle: bool = False,
        last_resort: str | None = None,
    ) -> None:
        at_least("solver.", candidates=(candidates, 1), width=(width, 1), levels=(levels, 0), scales=(scales, 0))
        at_least("solver.", largest_scale=(largest_scale, 1))
        for name, value, choices in (
            ("by", by, ("memory", "cost", "both")),
            ("infeasible_key", infeasible_key, ("overflow", "infinite")),
            ("last_resort", last_resort or "packing", ("packing",)),
        ):
            if value not in choices:
                raise ConfigError(f"solver.{name} is '{value}'; choose {', '.join(choices)}")
        self.candidates, self.width, self.levels = candidates, width, levels
        self.scales = np.linspace(1.0, largest_scale, scales) if scales else np.array([np.inf])
        self.by, self.infeasible_key, self.on_oracle = by, infeasible_key, on_oracle
        self.last_resort = last_resort

    def solve(
        self,
        problem: ShardingProblem,
        *,
        budget: Budget,
        scorer: AdditiveOracle | None = None,
        initial: Int[np.ndarray, " length"] | None = None,
        rng: np.random.Generator,
        checkpoint: Checkpoint | None = None,
    ) -> Solution:
        """Search; ``scorer`` is the cost model.

        Raises
        ------
        ConfigError
            There is no cost model, or it is of other devices.
        """
        model = cost_model(problem, self.on_oracle, scorer, AdditiveOracle, "NeuroShard", " that adds up pieces")
        problem.validate()
        meter = budget.start()
        search = _Search(self, Pricing(problem, model, meter))
        log: list[tuple[float, float, float, float]] = []
        held: list[Held] = []
        roots: list[Splits] = [()]
        levels = beam(roots, search.expand, search.evaluate, search.key, self.width)
        for _, level in zip(range(self.levels + 1), levels, strict=False):
            log.append((meter.seconds, meter.evaluations, len(level.states), search.cost))
            if search.plan is not None and (not held or search.plan is not held[-1].plan):
                held.append(Held(meter.seconds, meter.evaluations, search.plan))
            if meter.exhausted:
                break
        if search.plan is None and self.last_resort and not meter.exhausted:
            search.resort(rng)
            log.append((meter.seconds, meter.evaluations, 1, search.cost))
        names = ("seconds", "evaluations", "states", "predicted")
        columns = dict(zip(names, (np.array(column) for column in zip(*log, strict=True)), strict=True))
        return answer(problem, search.plan, meter, held, columns)


class _Search:
    """What one search has found, and how its states are expanded and evaluated."""

    def __init__(self, settings: NeuroShard, pricing: Pricing) -> None:
        self.settings, self.pricing = settings, pricing
        self.plan: Plan | None = None
        self.cost = np.inf
        self.split: dict[Splits, tuple[np.ndarray, np.ndarray]] = {(): split(pricing.problem.dims, ())}

    def pieces(self, splits: Splits) -> tuple[Int[np.ndarray, " pieces"], Int[np.ndarray, " pieces"]]:
        """Table and dimension of each piece; one more split is made of what is known without it."""
        if splits not in self.split:
            table, dim = self.pieces(splits[:-1])
            dim = np.append(dim, dim[splits[-1]] // 2)
            dim[splits[-1]] = dim[-1]
            self.split[splits] = np.append(table, table[splits[-1]]), dim
        return self.split[splits]

    def key(self, splits: Splits) -> tuple[tuple[int, int], ...]:
        """The pieces as a multiset: in which order they were cut does not matter."""
        table, dim = self.pieces(splits)
        return tuple(sorted(zip(table.tolist(), dim.tolist(), strict=True)))

    def expand(self, states: Sequence[Splits]) -> list[Splits]:
        """Every state with one of its candidates split."""
        return [(*splits, piece) for splits in states for piece in self._candidates(splits)]

    def _candidates(self, splits: Splits) -> Iterator[int]:
        """The largest pieces and the dearest; of equal ones the first."""
        problem = self.pricing.problem
        table, dim = self.pieces(splits)
        pieces = Counter(table.tolist())
        most = problem.most_pieces
        legal = [
            i for i in range(len(dim))
            if is_splittable(int(dim[i])) and (most is None or pieces[int(table[i])] < most[table[i]])
        ]  # fmt: skip
        single = self.pricing.single[self.pricing.kinds_of(table[None], dim[None])[0]]
        weights = {"memory": problem.column_bytes[table] * dim, "cost": single}
        chosen: dict[tuple[int, int], int] = {}
        for name, weight in weights.items():
            if self.settings.by in (name, "both"):
                for i in sorted(legal, key=lambda i, weight=weight: -weight[i])[: self.settings.candidates]:  # type: ignore[misc]
                    chosen.setdefault((int(table[i]), int(dim[i])), i)
        yield from chosen.values()

    def evaluate(self, states: Sequence[Splits]) -> Float[np.ndarray, " states"]:
        """The least predicted cost of each state over all limits; keeps the best plan of all."""
        pieces = [self.pieces(splits) for splits in states]
        table, dim = (np.stack(column) for column in zip(*pieces, strict=True))
        placed = place(self.pricing, table, dim, self.settings.scales)
        if placed is None:
            return np.full(len(states), np.inf)
        cost = placed.cost.reshape(len(states), -1)
        best = np.unravel_index(np.argmin(cost), cost.shape)
        if cost[best] < self.cost:
            self.cost = float(cost[best])
            self._keep(states[int(best[0])], placed, int(np.argmin(placed.cost)))
        return self._ranked(cost.min(axis=1), placed.unplaced.reshape(cost.shape).min(axis=1))

    def resort(self, rng: np.random.Generator) -> None:
        """Take an improved packing, if there is one."""
        found = packed(self.pricing.problem, self.pricing.model, self.pricing.meter, rng)
        if found is not None:
            self.plan, self.cost = found

    def _keep(self, splits: Splits, placed: Placed, lane: int) -> None:
        self.plan = Plan(splits, tuple(placed.devices[lane].tolist()))

    def _ranked(self, cost: np.ndarray, unplaced: np.ndarray) -> Float[np.ndarray, " states"]:
        if self.settings.infeasible_key == "infinite":
            return cost
        return np.where(np.isfinite(cost), cost, OVERFLOW + unplaced / GIB)
