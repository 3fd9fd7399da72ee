"""What passes remove: of one program pass by pass, and of several over the passes that were applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from data.compiler.problem import PassOrdering
from runs.anytime import Trace
from runs.figures import COLOURS, literal, png, sheet
from runs.record.instances import InstanceResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def passes_figure(problem: PassOrdering, kept: str, answer: np.ndarray, traces: Mapping[str, Trace]) -> bytes:
    """A PNG: on the left instructions over the passes that were applied, a line each for what searched; on the right what
    each pass of the kept answer leaves."""
    figure = sheet(9.4, 3.8)
    curves, bars = figure.subplots(1, 2)
    last = max((trace.evaluations[-1] for trace in traces.values() if len(trace)), default=1)
    searched = {name: trace for name, trace in traces.items() if len(trace) and trace.evaluations[-1]}
    for (name, trace), colour in zip(searched.items(), COLOURS, strict=False):
        at = np.arange(last + 1)
        curves.step(at, trace.value_at(at, by="evaluations"), where="post", color=colour, label=literal(name))
    curves.axhline(problem.reference, color="#888888", linestyle="--", label=literal(problem.compiler.size_level))
    _logarithmic(curves)
    curves.set_xlabel("passes applied")
    curves.set_ylabel("instructions")
    curves.legend(fontsize=8, frameon=False)
    level = problem.level_of(answer)
    names = [problem.compiler.actions[action] for action in answer.tolist()] if level is None else [level]
    counts = (
        problem.trajectory(tuple(answer.tolist())).counts if level is None else (problem.initial, problem.reference)
    )
    labels = ["before", *names][: len(counts)]
    bars.barh(range(len(counts)), counts, color=COLOURS[0])
    bars.set_yticks(range(len(counts)), [literal(label) for label in labels], fontsize=7)
    bars.invert_yaxis()
    bars.set_xlabel("instructions after the pass")
    bars.set_title(literal(f"kept: {kept}"), fontsize=9)
    return png(figure)


def over_passes_figure(results: Sequence[InstanceResult], references: Mapping[str, float], label: str) -> bytes | None:
    """A PNG: instructions over those of the level of size, geometric mean over programs, over the passes applied.

    Parameters
    ----------
    results
        Of all methods, with traces.
    references
        Instructions of the level of size, by program.
    label
        Of results without a method.
    """
    traces: dict[str, list[tuple[Trace, float]]] = {}
    for each in results:
        if each.trace is not None and len(each.trace) and each.trace.evaluations[-1] and each.name in references:
            traces.setdefault(each.method or label, []).append((each.trace, references[each.name]))
    last = max((trace.evaluations[-1] for pairs in traces.values() for trace, _ in pairs), default=0)
    if not last:
        return None
    figure = sheet(6.4, 4)
    axes = figure.subplots()
    at = np.arange(last + 1)
    for (name, pairs), colour in zip(traces.items(), COLOURS, strict=False):
        ratios = [np.log(np.maximum(trace.value_at(at, by="evaluations"), 1) / of) for trace, of in pairs]
        axes.step(at, np.exp(np.mean(ratios, axis=0)), where="post", color=colour, label=literal(name))
    axes.axhline(1.0, color="#888888", linestyle="--", linewidth=1, label="level of size")
    _logarithmic(axes)
    axes.set_xlabel("passes applied")
    axes.set_ylabel("instructions over the level of size")
    axes.legend(fontsize=8, frameon=False)
    return png(figure)


def _logarithmic(axes: Axes) -> None:
    """Plain numbers on a logarithmic axis."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="y", which="minor", labelsize=7)
