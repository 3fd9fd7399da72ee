"""The picture of a regression: predictions over truth, and errors over what makes samples easy or hard."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from runs.figures import COLOURS, png, sheet

_MOST_POINTS = 4000
_GROUPS = 15


def regression_figure(
    predicted: Float[np.ndarray, "samples ..."],
    true: Float[np.ndarray, "samples ..."],
    stratum: str,
    strata: Float[np.ndarray, " samples"],
) -> bytes:
    """PNG; the second panel, relative errors over ``strata``, only where they vary.

    Parameters
    ----------
    predicted, true
        In the units of the targets.
    stratum
        What ``strata`` are, in words.
    strata
        A number of each sample.
    """
    varied = len(strata) > 0 and float(np.ptp(strata)) > 0
    figure = sheet(4.2 * (1 + varied), 3.8)
    panels = figure.subplots(1, 1 + varied, squeeze=False)[0]
    step = max(1, predicted.size // _MOST_POINTS)
    ends = [float(true.min()), float(true.max())]
    panels[0].plot(ends, ends, color=COLOURS[-1], linewidth=1)
    panels[0].scatter(true.ravel()[::step], predicted.ravel()[::step], s=3, alpha=0.4, color=COLOURS[0])
    panels[0].set_xlabel("true")
    panels[0].set_ylabel("predicted")
    if varied:
        relative = np.abs(predicted - true) / np.maximum(np.abs(true), 1e-9)
        of_sample = relative.reshape(len(strata), -1).mean(1)
        centres, shown = _by_group(strata, of_sample)
        for share, colour in zip(shown, (COLOURS[5], COLOURS[0], COLOURS[1]), strict=True):
            panels[1].plot(centres, 100 * share, marker="o", markersize=3, color=colour)
        for share, label in zip(shown, ("best tenth", "median", "worst tenth"), strict=True):
            panels[1].annotate(label, (centres[-1], 100 * share[-1]), ha="right", va="bottom", fontsize="small")
        panels[1].set_xlabel(stratum)
        panels[1].set_ylabel("relative error (%)")
        panels[1].set_ylim(bottom=0)
    return png(figure)


def _by_group(strata: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean stratum of each group of samples and the 10, 50 and 90 % quantiles of its values: (groups,), (3, groups)."""
    distinct = np.unique(strata)
    if len(distinct) <= 2 * _GROUPS:
        group = np.searchsorted(distinct, strata)
    else:
        ends = np.quantile(strata, np.linspace(0, 1, _GROUPS + 1)[1:-1])
        group = np.searchsorted(ends, strata)
    groups = np.unique(group)
    centres = np.array([strata[group == each].mean() for each in groups])
    return centres, np.array([np.quantile(values[group == each], (0.1, 0.5, 0.9)) for each in groups]).T
