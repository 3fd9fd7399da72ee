"""Combinatorial auctions after Leyton-Brown, Pearson and Shoham, scheme "arbitrary" (docs/papers/lb_relax.md#2.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from data.ilp.generators.base import expect
from data.ilp.problem import ILP

Bid = tuple[np.ndarray, float]  # sorted items, price


@dataclass(frozen=True)
class CombinatorialAuction:
    """``max sum price x  s.t.`` each item that occurs is sold at most once, x binary.

    A bidder with more than two bids gets a dummy item shared by them, so at most one of them wins; with exactly two
    they are not exclusive, as in the published generator.

    Parameters
    ----------
    items, bids
        Numbers of items for sale and of bids (variables).
    min_value, max_value
        Range of the items' resale values.
    value_deviation
        Private values lie within ``max_value * value_deviation`` of the resale value.
    add_item_probability
        Probability of one more item in a bidder's first bundle.
    max_substitutes
        Most substitute bids of one bidder.
    additivity
        A bundle of s items is worth ``s ** (1 + additivity)`` on top of its items.
    budget_factor, resale_factor
        A substitute costs at most ``budget_factor`` times the first bid and has at least ``resale_factor`` of its
        resale value.
    """

    items: int = 2000
    bids: int = 4000
    min_value: float = 1.0
    max_value: float = 100.0
    value_deviation: float = 0.5
    add_item_probability: float = 0.7
    max_substitutes: int = 5
    additivity: float = 0.2
    budget_factor: float = 1.5
    resale_factor: float = 0.5

    def __post_init__(self) -> None:
        expect(self.items >= 2, "CA", "items", self.items, "at least 2")
        expect(self.bids >= 1, "CA", "bids", self.bids, "at least 1")
        expect(self.min_value >= 0, "CA", "min_value", self.min_value, "a number >= 0")
        expect(self.min_value <= self.max_value, "CA", "max_value", self.max_value, f">= min_value ({self.min_value})")
        expect(0 <= self.value_deviation <= 1, "CA", "value_deviation", self.value_deviation, "a number in [0, 1]")
        probability = self.add_item_probability
        expect(0 <= probability < 1, "CA", "add_item_probability", probability, "a number in [0, 1)")
        expect(self.max_substitutes >= 0, "CA", "max_substitutes", self.max_substitutes, "at least 0")
        expect(self.budget_factor >= 0, "CA", "budget_factor", self.budget_factor, "a number >= 0")
        expect(self.resale_factor >= 0, "CA", "resale_factor", self.resale_factor, "a number >= 0")

    def __call__(self, rng: np.random.Generator, name: str) -> ILP:
        market = _Market(self, rng)
        bundles: list[np.ndarray] = []
        prices: list[float] = []
        dummy = self.items
        while len(bundles) < self.bids:
            offers = market.bidder(room=self.bids - len(bundles))
            exclusive = len(offers) > 2
            for bundle, price in offers:
                bundles.append(np.append(bundle, dummy) if exclusive else bundle)
                prices.append(price)
            dummy += exclusive
        sizes = np.array([len(bundle) for bundle in bundles])
        used, rows = np.unique(np.concatenate(bundles), return_inverse=True)
        columns = np.repeat(np.arange(self.bids), sizes)
        matrix = sp.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(used), self.bids))
        return ILP.build(np.array(prices), matrix, row_hi=1.0, ub=1.0, integer=True, maximize=True, name=name)


class _Market:
    """Resale values and compatibilities of the items, and the bidders they attract."""

    def __init__(self, settings: CombinatorialAuction, rng: np.random.Generator) -> None:
        self.settings = settings
        self.rng = rng
        s = settings
        self.resale = s.min_value + (s.max_value - s.min_value) * rng.random(s.items)
        self.compatibility = _compatibility(rng, s.items)

    def bidder(self, room: int) -> list[Bid]:
        """The bids of one more bidder, at most ``room``; none when the price of the first bundle is negative."""
        s, rng = self.settings, self.rng
        interest = rng.random(s.items)
        private = self.resale + s.max_value * s.value_deviation * (2 * interest - 1)
        start = _draw(rng, interest)
        size = 1
        while size < s.items and rng.random() < s.add_item_probability:
            size += 1
        first = self._grow(start, size, interest)
        price = self._price(first, private)
        if price < 0:
            return []
        offers = {first.tobytes(): (first, price)}
        for bundle, other in self._substitutes(first, interest, private):
            if len(offers) > s.max_substitutes or len(offers) >= room:
                break
            affordable = 0 <= other <= s.budget_factor * price
            if affordable and self.resale[bundle].sum() >= s.resale_factor * self.resale[first].sum():
                offers.setdefault(bundle.tobytes(), (bundle, other))
        return list(offers.values())

    def _substitutes(self, first: np.ndarray, interest: np.ndarray, private: np.ndarray) -> list[Bid]:
        """One bundle of equal size grown from each item of the first, by decreasing price."""
        bundles = [self._grow(int(item), len(first), interest) for item in first]
        return sorted(((b, self._price(b, private)) for b in bundles), key=lambda bid: -bid[1])

    def _grow(self, item: int, size: int, interest: np.ndarray) -> np.ndarray:
        """Add items with probability ~ interest times mean compatibility with the bundle; sorted items."""
        bundle = [item]
        compatible = self.compatibility[item].copy()
        while len(bundle) < size:
            weights = interest * compatible
            weights[bundle] = 0.0
            bundle.append(_draw(self.rng, weights))
            compatible += self.compatibility[bundle[-1]]
        return np.sort(np.array(bundle, np.int64))

    def _price(self, bundle: np.ndarray, private: np.ndarray) -> float:
        return float(private[bundle].sum()) + len(bundle) ** (1 + self.settings.additivity)


def _compatibility(rng: np.random.Generator, items: int) -> np.ndarray:
    """Symmetric U(0, 1) with zero diagonal, entry (i, j) divided by the sum of row j; made in place."""
    compatibility = rng.random((items, items))
    for i in range(items):
        compatibility[i + 1 :, i] = compatibility[i, i + 1 :]
    np.fill_diagonal(compatibility, 0.0)
    compatibility /= compatibility.sum(axis=1)
    return compatibility


def _draw(rng: np.random.Generator, weights: np.ndarray) -> int:
    """An index with probability proportional to its weight; indices of weight 0 are never drawn."""
    cumulative = np.cumsum(weights)  # sequential, so the same on every platform; without its last entry: no overshoot
    return int(np.searchsorted(cumulative[:-1], rng.random() * cumulative[-1], side="right"))
