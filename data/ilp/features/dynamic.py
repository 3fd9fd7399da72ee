"""Features that change with the incumbent: three columns for each of the last three (docs/papers/cl_lns.md#3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runs.errors import InvalidProblem

WINDOW = 3
"""Incumbents that the features hold at most."""


def dynamic_features(
    window: Sequence[np.ndarray], relaxations: Sequence[np.ndarray | None] | None = None, size: int = WINDOW
) -> np.ndarray:
    """(n, 9) float32: for each of the last three incumbents, newest first, 1, its values, its LB-relaxation values.

    Slots without an incumbent are 0.

    Parameters
    ----------
    window
        Incumbents (n,), the current one first, then earlier ones; only ``size`` of them are looked at.
    relaxations
        The LP relaxation of local branching (n,) around each incumbent of ``window``, None where it is not known.
    size
        0 to 3, how many incumbents are shown (an ablation of the paper).

    Raises
    ------
    InvalidProblem
        ``window`` is empty, shapes differ, or a value is not finite (names column and variable).
    """
    if not window:
        raise InvalidProblem("dynamic features: there is no incumbent; the window needs the current one at least")
    if not 0 <= size <= WINDOW:
        raise InvalidProblem(f"dynamic features: the window's size is {size}; it must be 0 to {WINDOW}")
    n = len(window[0])
    table = np.zeros((n, 3 * WINDOW), np.float32)
    for slot, incumbent in enumerate(window[:size]):
        table[:, 3 * slot] = 1
        _fill(table, 3 * slot + 1, incumbent)
        relaxation = relaxations[slot] if relaxations is not None and slot < len(relaxations) else None
        if relaxation is not None:
            _fill(table, 3 * slot + 2, relaxation)
    return table


def _fill(table: np.ndarray, column: int, values: np.ndarray) -> None:
    if values.shape != (len(table),):
        raise InvalidProblem(f"dynamic features: column {column} has shape {values.shape}; expected ({len(table)},)")
    table[:, column] = values
    finite = np.isfinite(table[:, column])
    if not finite.all():
        j = int(np.argmin(finite))
        raise InvalidProblem(
            f"dynamic features: column {column} of variable {j} is {values[j]}; expected a finite number"
        )
