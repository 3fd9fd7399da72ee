"""How metrics are read: which are shares, and what the others are measured in."""

from __future__ import annotations

from runs.record.outcomes import FLAGS

FRACTIONS = ("primal_gap", "survival_rate", "best_performing_rate", *FLAGS)
"""Metrics between 0 and 1 that papers print in percent."""
UNITS = {"primal_integral": "s", "primal_integral_evaluations": "evaluations", "seconds": "s", "wall_seconds": "s"}
