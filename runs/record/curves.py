"""Anytime curves of a sweep's searches: what each method had reached at every moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from runs.anytime import Clock, attains_best, gap_matrix
from runs.record.searches import CLOCKS, SURVIVAL_THRESHOLD, Searches

Band = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Mean, lowest and highest curve over seeds, each (grid,)."""


@dataclass(frozen=True)
class Curve:
    """One kind of curve.

    Parameters
    ----------
    name
        Of its figure.
    metric
        What is on the vertical axis.
    clock
        What is on the horizontal axis.
    bands
        From searches, numbers of entries (those of one panel), grid and clock to a band per method.
    spans_magnitudes
        True for a gap; a rate lies in [0, 1], and its band says little.
    """

    name: str
    metric: str
    clock: Clock
    bands: Callable[[Searches, list[int], np.ndarray, Clock], dict[str, Band]]
    spans_magnitudes: bool = False


def curves(searches: Searches) -> Iterator[Curve]:
    """Gap over seconds and over evaluations; survival and best performing rate over what the budget counts.

    Each is over the instances and seeds that all methods have.
    """
    for clock in CLOCKS:
        if any(searches.horizon[group][clock] > 0 for group in searches.positions()):
            yield Curve(f"gap_{clock}", "primal_gap", clock, _gap, spans_magnitudes=True)
    yield Curve("survival", "survival_rate", searches.main_clock, _survival)
    yield Curve("best_rate", "best_performing_rate", searches.main_clock, _best)


def _by_method(searches: Searches, positions: list[int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for i in sorted(searches.in_common(positions), key=lambda i: searches.entries[i].method):
        found.setdefault(searches.entries[i].method, []).append(i)
    return found


def _band(values: np.ndarray, seeds: list[int]) -> Band:
    """(traces, grid) values to the mean curve and the range of the seeds' mean curves."""
    of_seed = [values[np.asarray(seeds) == seed].mean(axis=0) for seed in sorted(set(seeds))]
    return values.mean(axis=0), np.min(of_seed, axis=0), np.max(of_seed, axis=0)


def _gaps(searches: Searches, rows: list[int], grid: np.ndarray, clock: Clock) -> tuple[np.ndarray, list[int]]:
    entries = [searches.entries[i] for i in rows]
    best = [searches.best_of(entry) for entry in entries]
    return gap_matrix([entry.trace for entry in entries], best, grid, clock), [entry.seed for entry in entries]


def _gap(searches: Searches, positions: list[int], grid: np.ndarray, clock: Clock) -> dict[str, Band]:
    return {m: _band(*_gaps(searches, rows, grid, clock)) for m, rows in _by_method(searches, positions).items()}


def _survival(searches: Searches, positions: list[int], grid: np.ndarray, clock: Clock) -> dict[str, Band]:
    found = {}
    for method, rows in _by_method(searches, positions).items():
        gaps, seeds = _gaps(searches, rows, grid, clock)
        found[method] = _band((gaps <= SURVIVAL_THRESHOLD).astype(float), seeds)
    return found


def _best(searches: Searches, positions: list[int], grid: np.ndarray, clock: Clock) -> dict[str, Band]:
    methods, table = searches.complete_rows(positions)
    if not table.size:
        return {}
    values = np.array([[searches.entries[i].trace.value_at(grid, clock) for i in row] for row in table])
    maximize = [[any(searches.entries[i].trace.maximize for i in pair)] for pair in table.T]
    seeds = [searches.entries[i].seed for i in table[0]]
    return dict(
        zip(methods, (_band(wins.astype(float), seeds) for wins in attains_best(values, maximize)), strict=True)
    )
