"""The figure and the page of a score map."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import numpy as np

from data.ilp.problem import ILP
from runs.figures import literal, png, sheet
from tasks.ilp.scored_incumbent import ScoredIncumbent

SHOWN = 200
"""Rows of the page's table, besides all members of A*."""


def score_map_figure(rated: Sequence[ScoredIncumbent], k: int, title: str) -> bytes:
    """PNG: one panel per incumbent, variables by falling score; those that local branching changes are marked."""
    figure = sheet(9, 2.6 * len(rated))
    panels = figure.subplots(len(rated), squeeze=False)[:, 0]
    for number, (axes, one) in enumerate(zip(panels, rated, strict=True), start=1):
        scores, best = one.scores[one.order], one.best[one.order]
        places = np.flatnonzero(best)
        axes.plot(np.arange(len(scores)), scores, color="tab:gray", linewidth=1, label="all variables")
        axes.plot(places, scores[places], "o", color="tab:red", markersize=4, label="changed by local branching")
        axes.axvline(k - 0.5, color="tab:blue", linestyle="--", linewidth=1, label=f"k = {k}")
        axes.set_ylabel("score")
        axes.set_title(f"incumbent {number}: {_caption(one, k)}", fontsize="small")
    panels[0].legend(fontsize="small")
    panels[-1].set_xlabel("variables by falling score")
    figure.suptitle(literal(title), fontsize="medium")
    return png(figure)


def score_map_page(rated: Sequence[ScoredIncumbent], problem: ILP, k: int, title: str) -> str:
    """HTML, one file: the figure and, per incumbent, a table of the highest scores and of all of A*."""
    image = base64.b64encode(score_map_figure(rated, k, title)).decode()
    tables = [
        f"<h2>Incumbent {number}</h2><p>{_caption(one, k)}</p>{_table(one, problem)}"
        for number, one in enumerate(rated, start=1)
    ]
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{html.escape(title)}</title><style>"
        "body{font-family:sans-serif;max-width:60em;margin:auto}td,th{padding:0 .8em;text-align:right}"
        "tr.best{background:#fdd}img{max-width:100%}</style></head><body>"
        f"<h1>Scores of {html.escape(title)}</h1><p>Variables that local branching changes are red.</p>"
        f"<img alt='scores' src='data:image/png;base64,{image}'>{''.join(tables)}</body></html>"
    )


def _caption(one: ScoredIncumbent, k: int) -> str:
    return (
        f"local branching changes {int(one.best.sum())} of {len(one.best)} variables and gains {one.improvement:.6g}; "
        f"recall at {k}: {one.recall(k):.2f}, AUC {one.auc():.2f}"
    )


def _table(one: ScoredIncumbent, problem: ILP) -> str:
    rows = []
    for rank, place in enumerate(one.order, start=1):
        if rank <= SHOWN or one.best[place]:
            name = html.escape(problem.describe_variable(int(one.variables[place])))
            cells = f"<td>{rank}</td><td>{name}</td><td>{one.values[place]:g}</td><td>{one.scores[place]:.4g}</td>"
            rows.append(f"<tr{' class=best' if one.best[place] else ''}>{cells}</tr>")
    return f"<table><tr><th>rank</th><th>variable</th><th>value</th><th>score</th></tr>{''.join(rows)}</table>"
