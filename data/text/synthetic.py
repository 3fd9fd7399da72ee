"""Sequences whose tokens co-occur with the next token to a known degree (docs/papers/scan_snap.md#3.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from runs.errors import ConfigError


@dataclass(frozen=True)
class CoOccurrence:
    """Which tokens occur with which next token n, and how often: P(l|n).

    A sequence belongs to one of K = num_last * num_next_per_last classes n, each owned by one query token m. Token ids in
    this order: common, common per query, distinct (class by class), query tokens, next tokens; M in total.

    Parameters
    ----------
    num_last
        Number of query tokens m.
    num_next_per_last
        Next tokens n of each query.
    num_common
        Tokens that occur with every class.
    num_common_per_last
        Tokens common to the classes of one query.
    num_unique_per_next
        Distinct tokens of one class; their unnormalised P(l|n) are linspace(0.1, 1).
    common_weight
        Unnormalised P(l|n) of every common token.

    Raises
    ------
    ConfigError
        A count is too small, or the weight is not positive.
    """

    num_last: int = 2
    num_next_per_last: int = 2
    num_common: int = 10
    num_common_per_last: int = 0
    num_unique_per_next: int = 10
    common_weight: float = 1.0

    def __post_init__(self) -> None:
        least = {
            "num_last": 1,
            "num_next_per_last": 1,
            "num_common": 0,
            "num_common_per_last": 0,
            "num_unique_per_next": 1,
        }
        for field, minimum in least.items():
            if getattr(self, field) < minimum:
                raise ConfigError(
                    f"{field} of the synthetic sequences is {getattr(self, field)}; give at least {minimum}"
                )
        if not (self.common_weight > 0 and math.isfinite(self.common_weight)):
            raise ConfigError(
                f"common_weight of the synthetic sequences is {self.common_weight}; give a positive number, or "
                "num_common 0 and num_common_per_last 0 for no common tokens"
            )

    @property
    def classes(self) -> int:
        """K, the number of next tokens."""
        return self.num_last * self.num_next_per_last

    @property
    def context_size(self) -> int:
        """Number of tokens that occur before the query; their ids are 0 to ``context_size - 1``."""
        return self.num_common + self.num_last * self.num_common_per_last + self.classes * self.num_unique_per_next

    @property
    def vocabulary_size(self) -> int:
        """M, the number of all tokens."""
        return self.context_size + self.num_last + self.classes

    @cached_property
    def query(self) -> Int[Tensor, " classes"]:
        """Index of the query, 0 to num_last - 1, that owns each class."""
        return torch.arange(self.classes) // self.num_next_per_last

    @property
    def last_token(self) -> Int[Tensor, " classes"]:
        """Id of the query token m of each class."""
        return self.context_size + self.query

    @property
    def next_token(self) -> Int[Tensor, " classes"]:
        """Id of the next token n of each class."""
        return self.context_size + self.num_last + torch.arange(self.classes)

    @property
    def common(self) -> Int[Tensor, " common"]:
        """Ids of the tokens common to all classes."""
        return torch.arange(self.num_common)

    @property
    def common_per_query(self) -> Int[Tensor, "queries common_per_query"]:
        """Ids of the tokens common to the classes of each query."""
        size = self.num_last * self.num_common_per_last
        return (self.num_common + torch.arange(size)).view(self.num_last, self.num_common_per_last)

    @property
    def distinct(self) -> Int[Tensor, "classes distinct"]:
        """Ids of the distinct tokens of each class, in increasing co-occurrence."""
        first = self.num_common + self.num_last * self.num_common_per_last
        size = self.classes * self.num_unique_per_next
        return (first + torch.arange(size)).view(self.classes, self.num_unique_per_next)

    @property
    def own(self) -> Int[Tensor, "classes own"]:
        """Ids of all tokens that occur with each class: common, common per query, distinct."""
        common = self.common.expand(self.classes, -1)
        return torch.cat([common, self.common_per_query[self.query], self.distinct], dim=1)

    @cached_property
    def probabilities(self) -> Float[Tensor, "classes vocabulary"]:
        """P(l|n) in double precision; each row sums to one."""
        weights = torch.zeros(self.classes, self.vocabulary_size, dtype=torch.float64)
        weights.scatter_(1, self.own, self.common_weight)
        ladder = torch.linspace(0.1, 1, self.num_unique_per_next, dtype=torch.float64)
        weights.scatter_(1, self.distinct, ladder.expand(self.classes, -1))
        return weights / weights.sum(1, keepdim=True)

    def sample(
        self, batch: int, length: int, generator: torch.Generator
    ) -> tuple[Int[Tensor, " batch"], Int[Tensor, "batch context"]]:
        """A batch of classes, uniform, and for each its T - 1 context tokens, independent draws from P(.|n).

        Raises
        ------
        ConfigError
            ``length`` (T) leaves no token before the query, or the batch is empty.
        """
        if length < 2:
            raise ConfigError(f"length of the synthetic sequences is {length}; give at least 2: a token and the query")
        if batch < 1:
            raise ConfigError(f"batch size of the synthetic sequences is {batch}; give at least 1")
        classes = torch.randint(self.classes, (batch,), generator=generator)
        table = self.probabilities[:, : self.context_size]
        return classes, torch.multinomial(table[classes], length - 1, replacement=True, generator=generator)
