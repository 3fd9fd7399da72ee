"""A metric as a reader sees it: its name in words, its unit, which side is better, how its numbers are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pandas as pd

from runs.anytime import Clock
from runs.claims.number_format import is_number, number, snapped
from runs.claims.statistics import Interval, MeanKind, mean_interval
from runs.names import natural_order

Direction = Literal["lower", "higher", "none"]
MEAN_KINDS: tuple[MeanKind, ...] = get_args(MeanKind)
NumberFormat = Literal["significant", "percent", "integer", "scientific"]
DIGITS: dict[NumberFormat, int] = {"significant": 4, "percent": 3, "scientific": 3}
"""Significant digits where a declaration gives none."""


@dataclass(frozen=True)
class Metric:
    """How a metric is shown. One that nobody declared is shown by its name, with plain numbers.

    Parameters
    ----------
    name
        As the runs write it; in a declaration with one ``*`` for a family of names.
    label
        In words; a ``*`` stands for what that of the name stands for.
    unit
        Of the numbers as the runs write them.
    direction
        Which side is better, if one is.
    format
        ``significant`` digits; ``percent`` of numbers that are shares of 1; ``integer``; ``scientific``, 1.23e-05.
    digits
        How many of them are significant; None for :data:`DIGITS`.
    clock
        Of two metrics that say the same over seconds and over evaluations, what this one counts: it is a headline only
        where the budget counts that.
    per_instance
        Its numbers are in the sense and scale of their instance, as an objective is: their mean over instances that share
        neither says nothing.
    mean
        How its numbers are averaged, see :func:`~runs.claims.statistics.mean_interval`; ``rate`` of numbers that are 0 or 1.
    ratio
        ``{of: cost, to: METHOD}``: another metric over that of one method, on each instance and seed where both have one.
    beside
        Where one of these metrics is a headline, this one is, too, after it.
    description
        What a reader must know beside the label.
    place
        Position in the declaration; None for a metric that nobody declared.
    """

    name: str
    label: str
    unit: str = ""
    direction: Direction = "none"
    format: NumberFormat = "significant"
    digits: int | None = None
    clock: Clock | None = None
    per_instance: bool = False
    mean: MeanKind = "arithmetic"
    ratio: Mapping[str, str] | None = None
    beside: tuple[str, ...] = ()
    description: str = ""
    place: int | None = None

    @property
    def declared(self) -> bool:
        return self.place is not None

    @property
    def order(self) -> tuple[float, list[tuple[float, str]]]:
        """What sorts metrics as declared, those of one family by name, and what nobody declared last."""
        return float("inf") if self.place is None else self.place, natural_order(self.name)

    @property
    def factor(self) -> float:
        """What a number of the runs is multiplied with to be shown."""
        return 100.0 if self.format == "percent" else 1.0

    @property
    def shown_unit(self) -> str:
        return "%" if self.format == "percent" else self.unit

    @property
    def title(self) -> str:
        """Label and unit, for an axis or the head of a column."""
        return f"{self.label} ({self.shown_unit})" if self.shown_unit else self.label

    def quantity(self, value: Any, scale: float = 0.0) -> str:
        """A value with its unit; 0 where it is nothing beside ``scale``, a dash where there is none."""
        if not is_number(value):
            return number(value)
        return f"{self._written(snapped(value, self._scale(scale)))} {self.shown_unit}".rstrip()

    def interval(self, low: Any, high: Any, scale: float = 0.0) -> str:
        """An interval without unit, nothing where the data give none; an end is 0 where it is nothing beside the other."""
        if not is_number(low) or not is_number(high):
            return ""
        ends = (snapped(end, self._scale(max(scale, abs(low), abs(high)))) for end in (low, high))
        return f"[{', '.join(self._written(end) for end in ends)}]"

    def in_our_unit(self, value: float | None, unit: str) -> float | None:
        """A number that somebody gives in ``unit``, in that of the runs: a share that was printed in percent is divided."""
        return value / 100 if value is not None and self.format == "percent" and unit == "%" else value

    def interval_of(self, rows: pd.DataFrame) -> Interval:
        """The mean of results, columns ``value, seed, instance``, with its interval."""
        return mean_interval(rows["value"], rows["seed"], rows["instance"], kind=self.mean)

    def rank(self, value: Any) -> float:
        """What sorts values best first, and what is none last; equal for all where no side is better."""
        if self.direction == "none":
            return 0.0
        return (float(value) if self.direction == "lower" else -float(value)) if is_number(value) else float("inf")

    def _scale(self, scale: float) -> float:
        return 1.0 if self.format == "percent" else scale

    def _written(self, value: float) -> str:
        digits = self.digits or DIGITS.get(self.format, 0)
        if self.format == "integer":
            return f"{value:.0f}"
        if self.format == "scientific" and value:
            return f"{value:.{digits - 1}e}"
        return number(value * self.factor, digits)


SHARE = Metric("share", "share", format="percent")
"""What is relative to something else."""
