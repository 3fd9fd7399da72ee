"""Acceptance: which repaired assignment becomes the incumbent (minimisation)."""

from __future__ import annotations

from collections.abc import Callable

from runs.errors import ConfigError

IMPROVEMENT = 1e-5
"""An iteration counts as an improvement, and leaves k, when it gains more than this (docs/papers/lb_relax.md#3.1)."""


def improves(objective: float, incumbent: float) -> bool:
    """True when ``objective`` is better than ``incumbent`` by more than the threshold."""
    return objective < incumbent - IMPROVEMENT


def equal(objective: float, incumbent: float) -> bool:
    """Accept whatever is not worse: plateau moves are kept, though they do not count as an improvement."""
    return objective <= incumbent


def by_name(name: str) -> Callable[[float, float], bool]:
    """The rule called ``equal`` or ``strict`` (only improvements).

    Raises
    ------
    ConfigError
        There is no such rule.
    """
    rules = {"equal": equal, "strict": improves}
    if name not in rules:
        raise ConfigError(f"lns.accept is '{name}'; choose one of {', '.join(rules)}")
    return rules[name]
