"""The picture of a self-supervised training: loss, online probe and signals of collapse over epochs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from runs.figures import png, sheet

PANELS = {
    "training loss": {"training_loss": "loss"},
    "online probe (%)": {"online_accuracy": "views of the batch"},
    "rank of the last batch": {"batch_rank_h": "h", "batch_rank_z": "z"},
    "spread (1: uniform, 0: one point)": {"batch_spread_h": "h", "batch_spread_z": "z"},
}


def training_figure(columns: Mapping[str, np.ndarray]) -> bytes:
    """PNG of the columns of a history; panels without a column are left out."""
    shown = {title: lines for title, lines in PANELS.items() if any(name in columns for name in lines)}
    figure = sheet(3.3 * max(len(shown), 1), 3.0)
    for axes, (title, lines) in zip(
        figure.subplots(1, max(len(shown), 1), squeeze=False)[0], shown.items(), strict=False
    ):
        for name, label in lines.items():
            if name in columns:
                axes.plot(columns["epoch"], columns[name], label=label)
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel("epoch")
        axes.legend(fontsize="small")
    return png(figure)
