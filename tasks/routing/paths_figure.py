"""Paths on their graph, and how probable they are over the queries that found them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from data.routing.problem import RoutingProblem
from runs.anytime import Trace
from runs.figures import COLOURS, literal, png, sheet

APART = 0.07
"""Between paths that share an edge, of the length of a grid's edge."""


def paths_figure(
    problem: RoutingProblem, paths: Mapping[str, Int[np.ndarray, " edges"]], traces: Mapping[str, Trace]
) -> bytes | None:
    """A PNG: on the left every path on the graph, whose edges are the darker the more uncertain they are; on the right the
    probability over queries, a line each for what took one query. None for a graph without places."""
    from matplotlib.collections import LineCollection

    if problem.places is None:
        return None
    figure = sheet(9.4, 4.4)
    graph, curves = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.15]})
    places = problem.places[:, ::-1] * [1, -1]
    deviation = np.sqrt(problem.marginal_variances)
    roads = LineCollection(
        list(np.stack([places[problem.tails], places[problem.heads]], axis=1)), cmap="Greys", linewidths=5
    )
    roads.set_array(deviation)
    roads.set_clim(deviation.min() - 0.3 * np.ptp(deviation), deviation.max() + 0.8 * np.ptp(deviation))
    graph.add_collection(roads)
    middle = (len(paths) - 1) / 2
    for number, ((name, path), colour) in enumerate(zip(paths.items(), COLOURS, strict=False)):
        shifted = places[problem.walk(path)] + APART * (number - middle)
        label = literal(f"{name}: {problem.objective(path):.3f}")
        graph.plot(*shifted.T, color=colour, linewidth=2, label=label, solid_capstyle="round")
    for node, text in ((problem.source, "source"), (problem.target, "target")):
        graph.annotate(text, places[node], xytext=(0, 9 if node == problem.source else -15), textcoords="offset points",
                       ha="center", fontsize=8)  # fmt: skip
    graph.set_aspect("equal")
    graph.margins(0.08)
    graph.set_axis_off()
    graph.set_title("darker: less certain", fontsize=9)
    last = max((trace.evaluations[-1] for trace in traces.values() if len(trace)), default=1)
    for (name, trace), colour in zip(traces.items(), COLOURS, strict=False):
        _curve(curves, trace, last, colour, literal(name))
    curves.set_xlim(0.9, max(last, 2))
    curves.set_xlabel("queries of the cost")
    curves.set_ylabel("probability to arrive in time")
    figure.legend(*graph.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return png(figure)


def _curve(axes: object, trace: Trace, last: int, colour: str, label: str) -> None:
    found: Float[np.ndarray, " rows"] = np.asarray(trace.objective)
    if not len(found):
        return
    at = np.append(trace.evaluations, last)
    one = trace.evaluations[-1] <= 1
    axes.step(at, np.append(found, found[-1]), where="post", color=colour, label=label,  # type: ignore[attr-defined]
              linestyle="--" if one else "-", linewidth=1.2 if one else 2)  # fmt: skip
