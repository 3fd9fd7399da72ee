"""The results of a sweep in the blocks that its summary has a row for."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from runs.record.searches import OPTIMUM
from runs.record.sweep_folder import dataset_of


def blocks(results: pd.DataFrame) -> Iterator[tuple[str, str, str, str, str, str, pd.DataFrame]]:
    """(paper, experiment, method, metric, data set, name of the row, results) of every row of the summary.

    The data set is "" where a row spans several.
    """
    for (paper, experiment), part in results[results["metric"] != OPTIMUM].groupby(["paper", "experiment"], sort=True):
        part = part.assign(dataset=part["instance"].map(dataset_of))
        datasets = sorted(set(part["dataset"]))
        for (method, metric), group in part.groupby(["method", "metric"], sort=True):
            key = str(paper), str(experiment), str(method), str(metric)
            yield *key, datasets[0] if len(datasets) == 1 else "", str(metric), group
            if len(datasets) > 1:
                for dataset, block in group.groupby("dataset", sort=True):
                    yield *key, str(dataset), f"{metric}/{dataset}", block
