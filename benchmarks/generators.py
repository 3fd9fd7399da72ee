"""Generating instances: our generators against networkx graphs and the per-edge or per-entry loops users write."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import networkx
import numpy as np
import scipy.sparse as sp

from benchmarks.families import FAMILIES, title
from benchmarks.harness import Case
from benchmarks.measure import Probe
from data.ilp.generators.base import InstanceGenerator
from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.generators.mis import MaximumIndependentSet
from data.ilp.generators.mvc import MinimumVertexCover
from data.ilp.generators.sc import SetCover
from data.ilp.problem import ILP

REPEATS = {"toy": 1, "small": 5, "paper": 5}
OURS = "generator (ours)"
Loops = Callable[[int], ILP]


def cases(size: str) -> Iterator[Case]:
    """One case per family; both sides end in the same :class:`ILP`, from the same distribution."""
    for family, (peer, loops) in peers(size).items():
        generator = FAMILIES[size][family][0]

        problem = generator(np.random.default_rng(0), family)
        yield Case(title(family, problem), {peer: _theirs(loops), OURS: _ours(generator)}, peer)


def _theirs(loops: Loops) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        loops(probe.round + 1)

    return run


def _ours(generator: InstanceGenerator) -> Callable[[Probe], None]:
    def run(probe: Probe) -> None:
        generator(np.random.default_rng(probe.round + 1), "ours")

    return run


def peers(size: str) -> dict[str, tuple[str, Loops]]:
    """The peer's name and the peer, per family."""
    settings = FAMILIES[size]
    mvc, mis, ca, sc = (settings[family][0] for family in ("MVC", "MIS", "CA", "SC"))
    assert isinstance(mvc, MinimumVertexCover) and isinstance(mis, MaximumIndependentSet)
    assert isinstance(ca, CombinatorialAuction) and isinstance(sc, SetCover)
    return {
        "MVC": ("networkx, loop over edges", lambda seed: vertex_cover(mvc, seed)),
        "MIS": ("networkx, loop over edges", lambda seed: independent_set(mis, seed)),
        "CA": ("loops with rng.choice", lambda seed: auction(ca, seed)),
        "SC": ("loop over entries", lambda seed: set_cover(sc, seed)),
    }


def vertex_cover(settings: MinimumVertexCover, seed: int) -> ILP:
    graph = networkx.barabasi_albert_graph(settings.nodes, settings.attachments, seed=seed)
    weights = np.random.default_rng(seed).random(settings.nodes)
    return ILP.build(weights, _edge_rows(graph), row_lo=1.0, ub=1.0, integer=True)


def independent_set(settings: MaximumIndependentSet, seed: int) -> ILP:
    probability = settings.average_degree / (settings.nodes - 1)
    graph = networkx.fast_gnp_random_graph(settings.nodes, probability, seed=seed)
    return ILP.build(np.ones(settings.nodes), _edge_rows(graph), row_hi=1.0, ub=1.0, integer=True, maximize=True)


def set_cover(settings: SetCover, seed: int) -> ILP:
    """Balas and Ho entry by entry: columns drawn one at a time, rows drawn until a new one comes."""
    rng = np.random.default_rng(seed)
    counts = [2] * settings.columns
    for _ in range(settings.nonzeros - 2 * settings.columns):
        counts[rng.integers(settings.columns)] += 1
    uncovered = rng.permutation(settings.rows).tolist()
    entries = []
    for column, count in enumerate(counts):
        members = {uncovered.pop() for _ in range(min(count, len(uncovered)))}
        while len(members) < count:
            members.add(int(rng.integers(settings.rows)))
        entries += [(row, column) for row in members]
    costs = rng.integers(1, settings.max_cost + 1, size=settings.columns)
    return ILP.build(costs, _matrix(entries, settings.rows, settings.columns), row_lo=1.0, ub=1.0, integer=True)


def auction(s: CombinatorialAuction, seed: int) -> ILP:
    """Leyton-Brown's scheme with a numpy ``choice`` per item, as published generators draw."""
    rng = np.random.default_rng(seed)
    resale = s.min_value + (s.max_value - s.min_value) * rng.random(s.items)
    compatible = np.triu(rng.random((s.items, s.items)), k=1)
    compatible += compatible.T
    compatible = compatible / compatible.sum(1)

    def grow(bundle: list[int], interest: np.ndarray, size: int) -> list[int]:
        while len(bundle) < size:
            mask = np.ones(s.items)
            mask[bundle] = 0
            weights = mask * interest * compatible[bundle, :].mean(axis=0)
            bundle.append(int(rng.choice(s.items, p=weights / weights.sum())))
        return bundle

    entries: list[tuple[int, int]] = []
    prices: list[float] = []
    dummy = s.items
    while len(prices) < s.bids:
        interest = rng.random(s.items)
        private = resale + s.max_value * s.value_deviation * (2 * interest - 1)

        def price_of(bundle: list[int], private: np.ndarray = private) -> float:
            return float(private[bundle].sum()) + len(bundle) ** (1 + s.additivity)

        size = 1
        while rng.random() < s.add_item_probability:
            size += 1
        first = grow([int(rng.choice(s.items, p=interest / interest.sum()))], interest, min(size, s.items))
        price = price_of(first)
        if price < 0:
            continue
        offers = {frozenset(first): price}
        for bundle in sorted((grow([item], interest, len(first)) for item in first), key=price_of, reverse=True):
            if len(offers) > s.max_substitutes or len(prices) + len(offers) >= s.bids:
                break
            worthy = resale[bundle].sum() >= s.resale_factor * resale[first].sum()
            if 0 <= price_of(bundle) <= s.budget_factor * price and worthy:
                offers.setdefault(frozenset(bundle), price_of(bundle))
        for bundle_items, offer in offers.items():
            entries += [(item, len(prices)) for item in bundle_items]
            entries += [(dummy, len(prices))] if len(offers) > 2 else []
            prices.append(offer)
        dummy += len(offers) > 2
    rows = {item: i for i, item in enumerate(sorted({item for item, _ in entries}))}
    matrix = _matrix([(rows[item], bid) for item, bid in entries], len(rows), s.bids)
    return ILP.build(prices, matrix, row_hi=1.0, ub=1.0, integer=True, maximize=True)


def _edge_rows(graph: networkx.Graph) -> sp.csr_matrix:
    edges = list(graph.edges())
    return _matrix([(row, node) for row, edge in enumerate(edges) for node in edge], len(edges), len(graph))


def _matrix(entries: list[tuple[int, int]], rows: int, columns: int) -> sp.csr_matrix:
    """0-1 matrix of (row, column) pairs."""
    i, j = zip(*entries, strict=True)
    return sp.csr_matrix((np.ones(len(entries)), (i, j)), shape=(rows, columns))
