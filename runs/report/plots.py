"""The figures of a sweep, as PNG."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from runs.anytime import Clock, attains_best, gap_matrix
from runs.claims.statistics import mean_interval
from runs.figures import COLOURS, png, sheet
from runs.names import natural_order
from runs.record.searches import OPTIMUM, SURVIVAL_THRESHOLD, Group, Searches
from runs.record.sweep_folder import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID_POINTS = 201
MAX_PANELS = 8
MAX_METHODS = 16
MAX_METRICS = 24
MAX_LABEL = 40
_DASHES = ("-", "--", "-.", ":")
_CLOCK_LABEL = {"seconds": "seconds", "evaluations": "evaluations"}


@dataclass(frozen=True)
class Plot:
    """One figure: file name without suffix, what it shows in words, and the image."""

    name: str
    title: str
    png: bytes


def search_plots(searches: Searches) -> Iterator[Plot]:
    """Primal gap over seconds and over evaluations, survival and best performing rate; a panel per data set."""
    panels = _panels(searches)
    for clock in ("seconds", "evaluations"):
        if any(searches.horizon[group][clock] > 0 for group in panels):
            title = f"Primal gap over {_CLOCK_LABEL[clock]}, mean of the instances; band: range over seeds"
            yield _curves(searches, panels, clock, "primal gap", _gap, f"gap_{clock}", title)
    clock = searches.main_clock
    title = f"Survival rate: share of instances with a primal gap of at most {SURVIVAL_THRESHOLD:.0%}"
    yield _curves(searches, panels, clock, "survival rate", _survival, "survival", title)
    title = "Best performing rate: share of instances on which a method is the best of all; ties count for each"
    yield _curves(searches, panels, clock, "best performing rate", _best, "best_rate", title)


def metric_plots(
    sweep: Sweep, results: pd.DataFrame, named: Sequence[str] = (), named_only: bool = False
) -> Iterator[Plot]:
    """Each metric as bars over methods, or as lines over the one numeric setting that the sweep varies.

    ``named`` metrics, of which claims or published numbers speak, come first and in that order; ``named_only`` is for
    sweeps whose curves say the rest. What one method did with one seed has no picture.
    """
    if len(results[["method", "seed"]].drop_duplicates()) < 2:
        return
    results = results[results["metric"] != OPTIMUM]
    setting = swept_setting(sweep)
    if named_only:
        along = ("primal_gap", "primal_integral") if setting else ()
        results = results[results["metric"].isin((*named, *along))]
    measured = set(results["metric"])
    for metric in [*(m for m in named if m in measured), *sorted(measured.difference(named))][:MAX_METRICS]:
        rows = results[(results["metric"] == metric) & np.isfinite(results["value"].astype(float))]
        if rows.empty:
            continue
        name = re.sub(r"[^\w.-]+", "_", metric)
        if setting is not None:
            draw = partial(_line, sweep=sweep, rows=rows, metric=metric, setting=setting)
            yield _render(f"{name}_over_{setting}", f"{metric} over {setting}", (4.6, 3.2), draw)
        else:
            height = 0.9 + 0.34 * min(rows["method"].nunique(), MAX_METHODS)
            yield _render(name, f"{metric} by method", (5.4, height), partial(_bars, rows=rows, metric=metric))


Band = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Mean, lowest and highest curve over seeds, each (grid,)."""


def _panels(searches: Searches) -> dict[Group, list[int]]:
    panels = searches.positions()
    return dict(sorted(panels.items())[:MAX_PANELS])


def _curves(
    searches: Searches,
    panels: dict[Group, list[int]],
    clock: Clock,
    label: str,
    curves: Callable[[Searches, list[int], np.ndarray, Clock], dict[str, Band]],
    name: str,
    title: str,
) -> Plot:
    methods = sorted({searches.entries[i].method for positions in panels.values() for i in positions})
    styles = _styles(methods)
    drawn = []
    for group, positions in panels.items():
        grid = np.linspace(0.0, searches.horizon[group][clock] or 1.0, GRID_POINTS)
        drawn.append((group, grid, curves(searches, positions, grid, clock)))
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, (group, grid, bands) in zip(axes, drawn, strict=False):
            for method, (mean, low, high) in bands.items():
                axis.plot(grid, mean, label=_shortened(method), linewidth=1.6, drawstyle="steps-post", **styles[method])
                if label == "primal gap":
                    shade = {"color": styles[method]["color"], "alpha": 0.15, "linewidth": 0}
                    axis.fill_between(grid, low, high, step="post", **shade)
            several = len({(paper, experiment) for paper, experiment, _ in panels}) > 1
            axis.set_title(f"{group[1]}: {group[2]}" if several else group[2], fontsize=9)
            axis.set_xlabel(_CLOCK_LABEL[clock])
            axis.set_ylabel(label)
            _scale(axis, label, bands)
        for axis in axes[len(drawn) :]:
            axis.set_visible(False)
        handles = {text: line for axis in axes for line, text in zip(*axis.get_legend_handles_labels(), strict=True)}
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=min(4, len(handles)), fontsize=8)

    legend_rows = -(-len(methods) // 4)
    return _render(name, title, (1.0 + 3.9 * columns, 2.7 * rows + 0.4 + 0.2 * legend_rows), draw)


def _scale(axis: Axes, label: str, bands: dict[str, Band]) -> None:
    """Gaps span magnitudes: a logarithmic axis that still shows 0; rates use the whole of [0, 1]."""
    if label != "primal gap":
        axis.set_ylim(-0.03, 1.03)
        return
    positive = [float(mean[mean > 0].min()) for mean, _, _ in bands.values() if np.any(mean > 0)]
    smallest = max(min(positive, default=1e-3), 1e-4)
    axis.set_yscale("symlog", linthresh=10 ** np.floor(np.log10(smallest)), linscale=0.4)
    axis.set_ylim(0, 1.2)
    axis.yaxis.set_major_formatter(lambda gap, _: f"{100 * gap:g} %")


def _by_method(searches: Searches, positions: list[int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for i in sorted(positions, key=lambda i: searches.entries[i].method):
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


def swept_setting(sweep: Sweep) -> str | None:
    """The one numeric setting that tells the sweep's variants apart, if it takes three values or more."""
    variants = [run.variant for run in sweep.usable if run.variant]
    names = {name for variant in variants for name in variant}
    if len(names) != 1:
        return None
    name = names.pop()
    values = {variant[name] for variant in variants if not isinstance(variant[name], list | dict)}
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return name if numeric and len(values) >= 3 else None


def _line(figure: Figure, sweep: Sweep, rows: pd.DataFrame, metric: str, setting: str) -> None:
    position: dict[str, tuple[str, Any]] = {
        label: (base, run.variant.get(setting)) for run in sweep.usable for label, base in run.methods.items()
    }
    axis = figure.subplots()
    bases = sorted({position[method][0] for method in rows["method"]})
    for base, style in _styles(bases).items():
        labels = [m for m in set(rows["method"]) if position[m][0] == base and position[m][1] is not None]
        labels.sort(key=lambda m: position[m][1])
        intervals = [_interval(rows[rows["method"] == m]) for m in labels]
        x = [position[m][1] for m in labels]
        axis.errorbar(
            x, [i[0] for i in intervals], yerr=_arms(intervals), label=_shortened(base), marker="o", capsize=3, **style
        )
    axis.set_xlabel(setting)
    axis.set_ylabel(_shortened(metric))
    if len(bases) > 1:
        axis.legend(fontsize=8)


def _bars(figure: Figure, rows: pd.DataFrame, metric: str) -> None:
    methods = sorted(set(rows["method"]), key=natural_order)[:MAX_METHODS]
    intervals = [_interval(rows[rows["method"] == method]) for method in methods]
    axis = figure.subplots()
    places = np.arange(len(methods))[::-1]
    axis.barh(places, [i[0] for i in intervals], color=COLOURS[0], height=0.62)
    axis.errorbar([i[0] for i in intervals], places, xerr=_arms(intervals), fmt="none", capsize=3, color=COLOURS[4])
    axis.set_yticks(places, [_shortened(method) for method in methods])
    axis.set_xlabel(_shortened(metric))


def _interval(rows: pd.DataFrame) -> tuple[float, float, float]:
    found = mean_interval(rows["value"], rows["seed"], rows["instance"])
    return found.mean, found.mean if found.low is None else found.low, found.mean if found.high is None else found.high


def _arms(intervals: list[tuple[float, float, float]]) -> np.ndarray:
    mean, low, high = np.array(intervals).T
    return np.vstack([mean - low, high - mean])


def _shortened(name: str) -> str:
    """A name that leaves room for what it names."""
    return name if len(name) <= MAX_LABEL else f"{name[: MAX_LABEL - 3]}..."


def _styles(methods: list[str]) -> dict[str, dict[str, Any]]:
    """A colour per method, and a new dash once the colours are used up."""
    colours = cycle(COLOURS)
    return {m: {"color": next(colours), "linestyle": _DASHES[i // len(COLOURS) % 4]} for i, m in enumerate(methods)}


def _render(name: str, title: str, size: tuple[float, float], draw: Callable[[Figure], None]) -> Plot:
    import matplotlib

    style: Any = {"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "legend.frameon": False}
    style |= {"axes.spines.top": False, "axes.spines.right": False, "text.parse_math": False}
    with matplotlib.rc_context(style):
        figure = sheet(*size, dpi=144)
        draw(figure)
        image = png(figure)
    return Plot(name, title, image)
