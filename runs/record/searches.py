"""The searches of a sweep, scored against the best value that is known once all of them are in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd

from runs.anytime import Clock, Trace, attains_best, primal_gap, primal_integral
from runs.record.in_common import dataset_of, in_common
from runs.record.outcomes import TOLERANCE, Outcome, outcomes, without_optimum
from runs.record.run_folder import RESULT_COLUMNS, Run
from runs.record.sweep_folder import Sweep

SURVIVAL_THRESHOLD = 0.01
OPTIMUM = "optimum"
"""Metric name of a published optimum; a fact about the instance, not a result of a method."""
ANYTIME_METRICS = (
    "primal_gap",
    "proved_gap",
    "primal_integral",
    "primal_integral_evaluations",
    "survival_rate",
    "best_performing_rate",
)
DEPENDS_ON_THE_OTHERS = ("best_performing_rate",)
"""What is known of a method only beside those that it was compared with."""
METRICS_AT = ("primal_gap", "primal_integral", "survival_rate", "best_performing_rate", "primal_bound")
CLOCKS: tuple[Clock, ...] = ("seconds", "evaluations")

Group = tuple[str, str, str]
"""Paper, experiment, data set: what shares a horizon and a figure."""


@dataclass(frozen=True, eq=False)
class Search:
    """One search: a method on an instance with a seed. The trace is empty if it found nothing and recorded nothing."""

    paper: str
    experiment: str
    method: str
    instance: str
    seed: int
    trace: Trace

    @property
    def group(self) -> Group:
        return self.paper, self.experiment, dataset_of(self.instance)

    @property
    def problem(self) -> tuple[str, str]:
        """Paper and instance: what shares a v*."""
        return self.paper, self.instance


class Searches:
    """All searches of the usable runs, on instances that have an optimum.

    ``best`` maps (paper, instance) to v*: the best objective of all methods and runs, the published optimum included.
    ``horizon`` maps a :data:`Group` to the length of its anytime curves per clock: the budget of ``task.budget`` where the
    configuration has one, else the longest trace. ``compared`` holds the (paper, instance) pairs whose v* says something
    about a method: several were tried, or the optimum is published. A method alone would have the gap 0 to itself.
    ``bound`` maps (paper, instance) to the best bound that any search proved, or to the optimum, where there is one.
    ``main_clock`` is what the budget counts: evaluations where they are limited, else seconds. ``moments`` are seconds at
    which gap and integral are reported besides the end (``report.at_seconds``).
    """

    def __init__(
        self,
        entries: list[Search],
        best: dict[tuple[str, str], float],
        horizon: dict[Group, dict[str, float]],
        compared: Collection[tuple[str, str]],
        main_clock: Clock = "seconds",
        moments: Iterable[float] = (),
        bound: Mapping[tuple[str, str], float] | None = None,
    ) -> None:
        self.entries = entries
        self.best = best
        self.horizon = horizon
        self.compared = frozenset(compared)
        self.main_clock: Clock = main_clock
        self.moments = tuple(moments)
        self.bound = dict(bound or {})

    @classmethod
    def of(cls, *sweeps: Sweep) -> Searches:
        """The searches of one sweep, or of several under one common v*."""
        searching = {(run.paper, run.experiment) for sweep in sweeps for run in sweep.usable if run.traces is not None}
        runs = [
            (position, run)
            for position, sweep in enumerate(sweeps)
            for run in sweep.usable
            if (run.paper, run.experiment) in searching
        ]
        of_sweep = [[run.results for at, run in runs if at == position] for position in range(len(sweeps))]
        tables = [pd.concat(results, ignore_index=True) for results in of_sweep if results]
        ended = pd.concat([outcomes(table) for table in tables or [pd.DataFrame(columns=RESULT_COLUMNS)]])
        pointless = without_optimum(ended)
        entries, budgets, tried = [], [], defaultdict(set)
        for position, run in runs:
            for search in _searches_of(run):
                if search.problem not in pointless:
                    entries.append(search)
                    budgets.append(run.budget)
                    tried[search.problem].add((position, search.method))
        optima = _optima(run.results for sweep in sweeps for run in sweep.usable)
        compared = {problem for problem, methods in tried.items() if len(methods) > 1 or problem in optima}
        clock: Clock = "evaluations" if any(budget.get("evaluations") for budget in budgets) else "seconds"
        moments = sorted({moment for _, run in runs for moment in run.moments})
        best, horizons = _best_known(entries, optima), _horizons(entries, budgets)
        return cls(entries, best, horizons, compared, clock, moments, _bounds(ended, optima, _senses(entries)))

    def __len__(self) -> int:
        return len(self.entries)

    def best_of(self, search: Search) -> float:
        return self.best.get(search.problem, np.nan)

    def with_entries(self, entries: list[Search]) -> Searches:
        """Other searches, measured as these are."""
        return Searches(entries, self.best, self.horizon, self.compared, self.main_clock, self.moments, self.bound)

    @cached_property
    def comparable(self) -> Searches:
        """Those whose gap says something."""
        return self.with_entries([search for search in self.entries if search.problem in self.compared])

    @cached_property
    def senses(self) -> dict[tuple[str, str], bool]:
        """True for the (paper, instance) pairs that are maximised, as far as anything was found."""
        return _senses(self.entries)

    @cached_property
    def references(self) -> list[str]:
        """What gaps are against, in sentences; none where nothing is compared."""
        problems = sorted({search.problem for search in self.entries} & self.compared & self.best.keys())
        if not problems:
            return []
        bounded = [problem for problem in problems if problem in self.bound]
        open_gaps = [
            float(gap)
            for gap in primal_gap([self.best[p] for p in bounded], [self.bound[p] for p in bounded])
            if gap > TOLERANCE
        ]
        told = "primal gap: to the best objective of all methods here"
        if len(open_gaps) == len(problems) == len(bounded):
            told += ", proved optimal nowhere"
        elif bounded:
            told += f", the optimum on {len(bounded) - len(open_gaps)} of {len(problems)} instances"
        if open_gaps:
            told += f"; the best proved bound leaves room for up to {100 * max(open_gaps):.3g} %"
        if unknown := len(problems) - len(bounded):
            told += f"; how far from the optimum that is, no bound tells on {unknown} of {len(problems)}"
        return [told]

    def in_common(self, positions: list[int]) -> list[int]:
        """Of these entry numbers those whose instance and seed all methods have."""
        keys = [(self.entries[i].method, self.entries[i].instance, self.entries[i].seed) for i in positions]
        shared = in_common(pd.DataFrame(keys, columns=["method", "instance", "seed"]))
        return [i for i, kept in zip(positions, shared, strict=True) if kept]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """:data:`ANYTIME_METRICS` of every comparable search at its horizon, as rows of ``RESULT_COLUMNS``.

        The gap to a proved bound is that of every search on an instance that has one, compared or not.
        """
        bounded = self.with_entries([search for search in self.entries if search.problem in self.bound])
        frames = [bounded.metric("proved_gap")] if bounded.entries else []
        found = self.comparable
        if not found.entries:
            return pd.concat(frames) if frames else pd.DataFrame(columns=RESULT_COLUMNS)
        frames += [found.metric("primal_gap"), found.metric("primal_integral")]
        evaluations = found.metric("primal_integral", "evaluations").assign(metric="primal_integral_evaluations")
        frames += [evaluations, found.metric("survival_rate"), found.metric("best_performing_rate", found.main_clock)]
        for moment in self.moments:
            for name in ("primal_gap", "primal_integral"):
                frames.append(found.metric(name, "seconds", moment).assign(metric=f"{name}_at_{moment:g}_seconds"))
        return pd.concat([frame.dropna(subset="value") for frame in frames if len(frame)], ignore_index=True)

    def metric(self, name: str, clock: Clock = "seconds", at: float | None = None) -> pd.DataFrame:
        """One of :data:`METRICS_AT` or ``proved_gap`` of every search, after ``at`` seconds or evaluations, else at the end.

        The end is the horizon: what a solver still found while it overran its seconds does not count. The integral runs
        from 0 to ``at``, or to the horizon; it is NaN where the horizon is 0.
        """
        if name == "primal_integral":
            values = [self._integral(search, clock, at) for search in self.entries]
            return self._frame(name, values)
        values = [self._value(search, clock, at) for search in self.entries]
        if name == "best_performing_rate":
            return self._frame(name, self._wins(np.array(values))).dropna(subset="value")
        if name == "primal_bound":
            return self._frame(name, values)
        if name == "proved_gap":
            return self._frame(name, self._proved_gaps(np.array(values)))
        gaps = primal_gap(values, [self.best_of(search) for search in self.entries])
        return self._frame(name, gaps if name == "primal_gap" else (gaps <= SURVIVAL_THRESHOLD).astype(float))

    def complete_rows(self, positions: list[int]) -> tuple[list[str], np.ndarray]:
        """Methods and a (methods, pairs) table of entry numbers: the (instance, seed) pairs that every method has."""
        frame = pd.DataFrame(
            [(i, self.entries[i].method, self.entries[i].instance, self.entries[i].seed) for i in positions],
            columns=["row", "method", "instance", "seed"],
        )
        table = frame.pivot_table(index=["instance", "seed"], columns="method", values="row", aggfunc="first").dropna()
        return list(table.columns), table.to_numpy(dtype=int).T

    def positions(self) -> dict[Group, list[int]]:
        """Entry numbers per group."""
        found: dict[Group, list[int]] = defaultdict(list)
        for i, search in enumerate(self.entries):
            found[search.group].append(i)
        return dict(found)

    def _integral(self, search: Search, clock: Clock, at: float | None) -> float:
        horizon = self.horizon[search.group][clock] if at is None else at
        return primal_integral(search.trace, horizon, self.best_of(search), clock) if horizon > 0 else np.nan

    def _value(self, search: Search, clock: Clock, at: float | None) -> float:
        if at is None:
            clock, at = "seconds", self.horizon[search.group]["seconds"]
        return float(search.trace.value_at(at, clock)) if len(search.trace) else np.nan

    def _proved_gaps(self, values: np.ndarray) -> np.ndarray:
        """Gaps to the best bound; 0 within the tolerance to which optima agree."""
        bounds = np.array([self.bound.get(search.problem, np.nan) for search in self.entries])
        with np.errstate(invalid="ignore"):
            met = np.abs(values - bounds) <= TOLERANCE * np.maximum(1.0, np.abs(bounds))
        return np.where(met, 0.0, primal_gap(values, bounds))

    def _wins(self, values: np.ndarray) -> np.ndarray:
        """1 where a search is the best of all methods on its instance and seed, else 0; NaN where a method is missing."""
        wins = np.full(len(values), np.nan)
        for positions in self.positions().values():
            methods, table = self.complete_rows(positions)
            if len(methods) < 2 or not table.size:
                continue
            maximize = [any(self.entries[i].trace.maximize for i in pair) for pair in table.T]
            wins[table] = attains_best(values[table], maximize)
        return wins

    def _frame(self, metric: str, values: Any) -> pd.DataFrame:
        keys = [(s.paper, s.experiment, s.method, s.instance, s.seed) for s in self.entries]
        frame = pd.DataFrame(keys, columns=RESULT_COLUMNS[:5])
        return frame.assign(metric=metric, value=np.asarray(values, dtype=float))[RESULT_COLUMNS]


def with_anytime_metrics(results: pd.DataFrame, searches: Searches) -> pd.DataFrame:
    """Results with the anytime metrics of the searches in place of those the runs could compute on their own."""
    if not len(searches):
        return results
    searching = {(search.paper, search.experiment) for search in searches.entries}
    searched = pd.MultiIndex.from_frame(results[["paper", "experiment"]]).isin(searching)
    stale = results["metric"].isin(ANYTIME_METRICS) & searched
    return pd.concat([results[~stale], searches.rows], ignore_index=True)


def _searches_of(run: Run) -> Iterable[Search]:
    """A trace per instance; an instance with results but without a trace is a search that found nothing."""
    keys = ["method", "instance", "seed"]
    found: set[tuple[str, str, int]] = set()
    for key, rows in () if run.traces is None else run.traces.groupby(keys, sort=True):
        method, instance, seed = cast(tuple[str, str, int], key)
        found.add((method, instance, seed))
        columns = {name: rows[name].to_numpy() for name in ("seconds", "evaluations", "objective", "bound")}
        trace = Trace.from_arrays(columns, maximize=bool(rows["maximize"].iloc[0]))
        yield Search(run.paper, run.experiment, method, instance, seed, trace)
    searched = run.results.loc[run.results["metric"].isin(("feasible", "primal_bound")), keys]
    for method, instance, seed in sorted(set(searched.itertuples(index=False, name=None)) - found):
        yield Search(run.paper, run.experiment, method, instance, seed, Trace())


def _optima(frames: Iterable[pd.DataFrame]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for frame in frames:
        rows = frame[(frame["metric"] == OPTIMUM) & np.isfinite(frame["value"])]
        found |= {(p, i): v for p, i, v in zip(rows["paper"], rows["instance"], rows["value"], strict=True)}
    return found


def _senses(entries: list[Search]) -> dict[tuple[str, str], bool]:
    return {search.problem: search.trace.maximize for search in entries if len(search.trace)}


def _bounds(
    ended: pd.DataFrame, optima: dict[tuple[str, str], float], senses: dict[tuple[str, str], bool]
) -> dict[tuple[str, str], float]:
    """The tightest of the bounds that searches proved on each instance; the optimum where it is known."""
    found: dict[tuple[str, str], float] = {}
    for row in ended.itertuples(index=False):
        problem = (str(row.paper), str(row.instance))
        bound = float(row.primal_bound if row.status == Outcome.OPTIMAL else row.dual_bound)  # type: ignore[arg-type]
        if problem in senses and np.isfinite(bound):
            tighter = min if senses[problem] else max
            found[problem] = tighter(found[problem], bound) if problem in found else bound
    return found | {problem: value for problem, value in optima.items() if problem in senses}


def _best_known(entries: list[Search], optima: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    best: dict[tuple[str, str], float] = dict(optima)
    for search in entries:
        values = np.asarray(search.trace.objective, dtype=float)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        value = float(values.max() if search.trace.maximize else values.min())
        key = search.problem
        better = max if search.trace.maximize else min
        best[key] = better(best[key], value) if key in best else value
    return best


def _horizons(entries: list[Search], budgets: list[dict[str, Any]]) -> dict[Group, dict[str, float]]:
    """One horizon per group and clock, so that all methods of a comparison are integrated over the same span.

    ``budgets`` holds the budget of each entry. Seconds beside a limit of evaluations only stop what is far too slow.
    """
    limit: dict[Group, dict[str, float]] = defaultdict(dict)
    longest: dict[Group, dict[str, float]] = defaultdict(lambda: dict.fromkeys(CLOCKS, 0.0))
    for search, budget in zip(entries, budgets, strict=True):
        known, spans = limit[search.group], longest[search.group]
        for clock in CLOCKS:
            if isinstance(budget.get(clock), int | float) and not (clock == "seconds" and budget.get("evaluations")):
                known[clock] = max(known.get(clock, 0.0), float(budget[clock]))
            if len(search.trace):
                spans[clock] = max(spans[clock], float(getattr(search.trace, clock)[-1]))
    return {group: {clock: limit[group].get(clock, span[clock]) for clock in CLOCKS} for group, span in longest.items()}
