"""Load of every device under one plan or several: time and memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from data.sharding.plan import Plan
from data.sharding.problem import GIB, ShardingProblem
from runs.figures import COLOURS, literal, png, sheet

MOST_TICKS = 16


def balance_figure(problem: ShardingProblem, plans: Mapping[str, Plan]) -> bytes:
    """A PNG: above ms of every device, stacked by what takes them, below its memory beside its limit; a column a plan."""
    figure = sheet(0.6 + 3.1 * len(plans), 4.6)
    axes = figure.subplots(
        2, len(plans), squeeze=False, sharex=True, sharey="row", gridspec_kw={"height_ratios": [3, 2]}
    )
    devices = np.arange(problem.devices)
    for column, (name, plan) in enumerate(plans.items()):
        costs, used = problem.costs(plan), problem.memory_used(problem.pieces(plan)) / GIB
        above, below = axes[:, column]
        base = np.zeros(problem.devices)
        for label, part, colour in zip(
            ("computation", "backward communication", "forward communication"),
            (costs.compute[0], costs.backward[0], costs.forward[0]),
            COLOURS,
            strict=False,
        ):
            above.bar(devices, part, bottom=base, color=colour, label=label, width=0.8)
            base = base + part
        above.axhline(base.max(), color="black", linewidth=0.8, linestyle="--")
        above.set_title(literal(f"{name}: {base.max():.4g} ms"), fontsize=9)
        below.bar(devices, used, color=COLOURS[5], width=0.8)
        below.step(np.append(devices, len(devices)) - 0.5, np.append(problem.memory, problem.memory[-1]) / GIB, where="post",
                   color="black", linewidth=0.8, linestyle="--")  # fmt: skip
        below.set_xlabel("device")
        if problem.devices <= MOST_TICKS:
            below.set_xticks(devices)
    axes[0, 0].set_ylabel("ms of a step")
    axes[1, 0].set_ylabel("GiB, and the limit")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8, frameon=False
    )
    return png(figure)
