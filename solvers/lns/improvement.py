"""What counts as an improvement in LNS."""

from __future__ import annotations

IMPROVEMENT = 1e-5
"""An iteration counts as an improvement, and leaves k, when it gains more than this (docs/papers/lb_relax.md#3.1)."""


def improves(objective: float, best: float) -> bool:
    """True when ``objective`` is better than ``best`` by more than the threshold (minimisation)."""
    return objective < best - IMPROVEMENT
