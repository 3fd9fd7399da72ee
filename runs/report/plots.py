"""The figures of a sweep, as PNG."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from runs.claims.blocks import blocks
from runs.claims.metric import Metric
from runs.claims.metrics import PaperMetrics
from runs.figures import COLOURS, png, sheet
from runs.names import natural_order, safe_name
from runs.record.curves import Curve, curves
from runs.record.in_common import Senses
from runs.record.searches import Group, Searches
from runs.record.sweep_folder import Sweep
from runs.text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID_POINTS = 201
MAX_PANELS = 8
MAX_METHODS = 16
MAX_METRICS = 24
MAX_LABEL = 40
_DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Plot:
    """One figure: file name without suffix, what it shows in words, and the image."""

    name: str
    title: str
    png: bytes


def curve_plots(searches: Searches, metrics: PaperMetrics) -> Iterator[Plot]:
    """The anytime curves of the searches; a panel per data set."""
    panels = _panels(searches)
    for curve in curves(searches):
        metric = metrics.of(next(iter(panels))[0], curve.metric)
        what = f": {metric.description}" if metric.description else ""
        band = "; mean of the instances, band: range over seeds" if curve.spans_magnitudes else ""
        title = f"{metric.label[:1].upper()}{metric.label[1:]} over {curve.clock}{what}{band}"
        yield _curves(searches, panels, curve, metric, title)


def metric_plots(
    sweep: Sweep,
    results: pd.DataFrame,
    metrics: PaperMetrics,
    first: Sequence[str] = (),
    only: Collection[str] | None = None,
    senses: Senses | None = None,
) -> Iterator[Plot]:
    """Each metric as bars over methods, or as lines over the one numeric setting that the sweep varies.

    What has no mean has no picture.

    Those that come ``first`` do, in that order; ``only`` these are drawn, or all. What one method did with one seed has no
    picture.
    """
    if len(results[["method", "seed"]].drop_duplicates()) < 2:
        return
    averaged: dict[str, list[pd.DataFrame]] = {}
    for block in blocks(results, metrics, senses):
        if block.name == block.metric:
            averaged.setdefault(block.metric, []).append(block.rows)
    setting = swept_setting(sweep)
    shown = metrics.shown((rows["paper"].iloc[0], name) for name, parts in averaged.items() for rows in parts)
    ordered = [*(name for name in first if name in shown), *(name for name in shown if name not in first)]
    for name in [name for name in ordered if only is None or name in only][:MAX_METRICS]:
        rows, metric = pd.concat(averaged[name]), shown[name]
        if setting is not None:
            draw = partial(_line, sweep=sweep, rows=rows, metric=metric, setting=setting)
            yield _render(safe_name(f"{name}_over_{setting}"), f"{metric.label} over {setting}", (4.6, 3.2), draw)
        else:
            height = 0.9 + 0.34 * min(rows["method"].nunique(), MAX_METHODS)
            yield _render(
                safe_name(name), f"{metric.label} by method", (5.4, height), partial(_bars, rows=rows, metric=metric)
            )


def _panels(searches: Searches) -> dict[Group, list[int]]:
    panels = searches.positions()
    return dict(sorted(panels.items())[:MAX_PANELS])


def _curves(searches: Searches, panels: dict[Group, list[int]], curve: Curve, metric: Metric, title: str) -> Plot:
    methods = sorted({searches.entries[i].method for positions in panels.values() for i in positions})
    styles = _styles(methods)
    drawn = []
    for group, positions in panels.items():
        grid = np.linspace(0.0, searches.horizon[group][curve.clock] or 1.0, GRID_POINTS)
        bands = curve.bands(searches, positions, grid, curve.clock)
        drawn.append((group, grid, {method: [metric.factor * each for each in band] for method, band in bands.items()}))
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, (group, grid, bands) in zip(axes, drawn, strict=False):
            for method, (mean, low, high) in bands.items():
                axis.plot(grid, mean, label=_shortened(method), linewidth=1.6, drawstyle="steps-post", **styles[method])
                if curve.spans_magnitudes:
                    shade = {"color": styles[method]["color"], "alpha": 0.15, "linewidth": 0}
                    axis.fill_between(grid, low, high, step="post", **shade)
            several = len({(paper, experiment) for paper, experiment, _ in panels}) > 1
            axis.set_title(f"{group[1]}: {group[2]}" if several else group[2], fontsize=9)
            axis.set_xlabel(curve.clock)
            axis.set_ylabel(_shortened(metric.title))
            _scale(axis, curve, metric, [mean for mean, _, _ in bands.values()])
        for axis in axes[len(drawn) :]:
            axis.set_visible(False)
        handles = {text: line for axis in axes for line, text in zip(*axis.get_legend_handles_labels(), strict=True)}
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=min(4, len(handles)), fontsize=8)

    legend_rows = -(-len(methods) // 4)
    return _render(curve.name, title, (1.0 + 3.9 * columns, 2.7 * rows + 0.4 + 0.2 * legend_rows), draw)


def _scale(axis: Axes, curve: Curve, metric: Metric, means: list[np.ndarray]) -> None:
    """What spans magnitudes gets a logarithmic axis that still shows 0; rates use the whole of [0, 1]."""
    whole = metric.factor
    if not curve.spans_magnitudes:
        axis.set_ylim(-0.03 * whole, 1.03 * whole)
        return
    positive = [float(mean[mean > 0].min()) for mean in means if np.any(mean > 0)]
    smallest = max(min(positive, default=1e-3 * whole), 1e-4 * whole)
    axis.set_yscale("symlog", linthresh=10 ** np.floor(np.log10(smallest)), linscale=0.4)
    axis.set_ylim(0, 1.2 * whole)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


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


def _line(figure: Figure, sweep: Sweep, rows: pd.DataFrame, metric: Metric, setting: str) -> None:
    position: dict[str, tuple[str, Any]] = {
        label: (base, run.variant.get(setting)) for run in sweep.usable for label, base in run.methods.items()
    }
    axis = figure.subplots()
    bases = sorted({position[method][0] for method in rows["method"]})
    for base, style in _styles(bases).items():
        labels = [m for m in set(rows["method"]) if position[m][0] == base and position[m][1] is not None]
        labels.sort(key=lambda m: position[m][1])
        intervals = [_interval(rows[rows["method"] == m], metric) for m in labels]
        x = [position[m][1] for m in labels]
        axis.errorbar(
            x, [i[0] for i in intervals], yerr=_arms(intervals), label=_shortened(base), marker="o", capsize=3, **style
        )
    axis.set_xlabel(setting)
    axis.set_ylabel(_shortened(metric.title))
    if len(bases) > 1:
        axis.legend(fontsize=8)


def _bars(figure: Figure, rows: pd.DataFrame, metric: Metric) -> None:
    methods = sorted(set(rows["method"]), key=natural_order)[:MAX_METHODS]
    intervals = [_interval(rows[rows["method"] == method], metric) for method in methods]
    axis = figure.subplots()
    places = np.arange(len(methods))[::-1]
    axis.barh(places, [i[0] for i in intervals], color=COLOURS[0], height=0.62)
    axis.errorbar([i[0] for i in intervals], places, xerr=_arms(intervals), fmt="none", capsize=3, color=COLOURS[4])
    axis.set_yticks(places, [_shortened(method) for method in methods])
    axis.set_xlabel(_shortened(metric.title))


def _interval(rows: pd.DataFrame, metric: Metric) -> tuple[float, float, float]:
    found = metric.interval_of(rows)
    mean = found.mean
    low, high = (mean if end is None else end for end in (found.low, found.high))
    return metric.factor * mean, metric.factor * low, metric.factor * high


def _arms(intervals: list[tuple[float, float, float]]) -> np.ndarray:
    mean, low, high = np.array(intervals).T
    return np.vstack([mean - low, high - mean])


def _shortened(name: str) -> str:
    """A name that leaves room for what it names."""
    return shortened(name, MAX_LABEL)


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
