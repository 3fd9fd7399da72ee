"""What comes first in a report: the metrics that tell the result, and the methods that do best by the first of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from runs.anytime import Clock
from runs.claims.metric import Metric
from runs.claims.metrics import Metrics, whole
from runs.names import natural_order


def leading(
    metrics: Metrics, experiment: str, measured: Collection[str], clock: Clock, named: Sequence[str]
) -> list[str]:
    """The headline of an experiment; where none is declared all metrics, with those ahead that a claim or a paper names."""
    if headline := metrics.headline(experiment, measured, clock):
        return headline
    ahead = [name for name in named if name in measured]
    return [*ahead, *(name for name in metrics.ordered(whole(measured)) if name not in ahead)]


def best_first(methods: Iterable[str], by: Sequence[tuple[Metric, Mapping[str, Any]]]) -> list[str]:
    """Methods by their means of the first metric, those that are equal there by the next, and so on, then by name.

    No side of some metrics is better; what has no mean comes last.
    """

    def key(method: str) -> tuple[list[float], Any]:
        return [metric.rank(means.get(method)) for metric, means in by], natural_order(method)

    return sorted(methods, key=key)
