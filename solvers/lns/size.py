"""The schedule of the neighbourhood size k (docs/papers/lb_relax.md#(2))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runs.errors import ConfigError


@dataclass(frozen=True)
class NeighborhoodSize:
    """k stays while iterations improve, and grows by a factor when one does not.

    Parameters
    ----------
    initial
        k_0; 0 or None means ``int(share * |I|)``, where I are the integer variables that are not fixed by their bounds.
    share
        See ``initial``.
    growth
        gamma >= 1: an iteration without improvement makes k to ``round(gamma k)``.
    largest
        beta in (0, 1]: k never exceeds ``round(beta |I|)``.
    rule
        ``"at_least_one"`` grows by one at least; ``"paper"`` is the literal rule, which stands still for ever where
        ``round(gamma k) == k`` (k <= 24 at gamma = 1.02).

    Raises
    ------
    ConfigError
        A parameter is outside its range.
    """

    initial: int | None = 0
    share: float = 0.2
    growth: float = 1.02
    largest: float = 0.5
    rule: Literal["at_least_one", "paper"] = "at_least_one"

    def __post_init__(self) -> None:
        if self.initial is not None and (not self.initial >= 0 or self.initial != int(self.initial)):
            raise ConfigError(f"size.initial is {self.initial}; k_0 must be a whole number >= 1, or 0 for share * |I|")
        if not 0 < self.share <= 1:
            raise ConfigError(f"size.share is {self.share}; it must lie in (0, 1]")
        if not self.growth >= 1:
            raise ConfigError(f"size.growth is {self.growth}; gamma must be >= 1 (the paper's is 1.02)")
        if not 0 < self.largest <= 1:
            raise ConfigError(f"size.largest is {self.largest}; beta must lie in (0, 1] (the paper's is 0.5)")
        if self.rule not in ("at_least_one", "paper"):
            raise ConfigError(f"size.rule is '{self.rule}'; choose 'at_least_one' or 'paper'")

    def cap(self, integers: int) -> int:
        """The largest k for ``integers`` = |I| >= 1 variables."""
        return max(1, round(self.largest * integers))

    def first(self, integers: int) -> int:
        """k_0, at least 1 and at most :meth:`cap`."""
        return min(self.cap(integers), max(1, self.initial or int(self.share * integers)))

    def grown(self, k: int, integers: int) -> int:
        """k after an iteration without improvement."""
        larger = round(self.growth * k)
        if self.rule == "at_least_one":
            larger = max(k + 1, larger)
        return min(larger, self.cap(integers))
