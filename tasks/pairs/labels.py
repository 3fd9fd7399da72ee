"""Names of metrics that go with a number."""

from __future__ import annotations


def label(number: float) -> str:
    """A number in the name of a metric, where a point may not stand: 0.005 is 0_005."""
    return f"{number:g}".replace(".", "_")
