"""Low-shot: another protocol with few labelled images, over several random choices of them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int
from torch import Tensor

from data.images.subset import per_class
from runs.errors import ConfigError, nearest
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.protocol import Protocol, Sizes, checked_within


def stratified(
    labels: Int[Tensor, " images"], seed: int, fraction: float | None = None, number: int | None = None
) -> Int[Tensor, " chosen"]:
    """Positions of randomly chosen images of every class, in ascending order.

    Parameters
    ----------
    labels
        Classes.
    seed
        Another one is another choice.
    fraction
        Share of every class, at least one image of each that has any.
    number
        Images of every class instead.

    Raises
    ------
    ConfigError
        A class has fewer than ``number`` images.
    """
    sizes = torch.bincount(labels).tolist()
    if number is None:
        number_of = [min(size, max(1, round((fraction or 0.0) * size))) for size in sizes]
    else:
        number_of = [number if size else 0 for size in sizes]
    return per_class(labels, number_of, seed)


@final
@dataclass(frozen=True)
class LowShot(Protocol):
    """``of`` with a share or a number of training images per class; mean and standard deviation over the splits.

    Parameters
    ----------
    of
        The protocol.
    metric
        Which of its metrics is reported.
    name
        Under which name.
    fraction
        Share of every class (0.01, 0.1).
    per_class
        Or images of every class; exactly one of the two is given.
    splits
        Random choices.
    seed
        Of the choices.
    """

    of: Protocol
    metric: str
    name: str = "low_shot"
    fraction: float | None = None
    per_class: int | None = None
    splits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.fraction is None) == (self.per_class is None):
            raise ConfigError(
                f"{self.name}.fraction is {self.fraction} and per_class {self.per_class}; set exactly one of them"
            )
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise ConfigError(f"{self.name}.fraction is {self.fraction}; give a share in (0, 1]")
        if self.per_class is not None and self.per_class < 1:
            raise ConfigError(f"{self.name}.per_class is {self.per_class}; give at least 1")
        if self.splits < 1:
            raise ConfigError(f"{self.name}.splits is {self.splits}; give at least 1")

    def check(self, sizes: Sizes) -> None:
        """Every class must have the images, and what is chosen must be enough for the protocol."""
        least = min((size for size in sizes.per_class if size), default=0)
        if self.per_class is not None and self.per_class > least:
            raise ConfigError(
                f"per_class is {self.per_class}, and a class has {least} training images; give 1 to {least}"
            )
        chosen = [self.per_class or max(1, round((self.fraction or 0.0) * size)) for size in sizes.per_class if size]
        checked_within("of", self.of, sizes._replace(train=sum(chosen), per_class=chosen))

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """``<name>``, and ``<name>_std`` over the splits, 0 for a single one."""
        labels = parts.train.classes_of(self.name)
        seeds = [self.seed * 1009 + split for split in range(self.splits)]
        choices = [stratified(labels, seed, self.fraction, self.per_class) for seed in seeds]
        found = [self._metric(self.of.evaluate(parts.trained_on(rows))) for rows in choices]
        deviation = statistics.stdev(found) if len(found) > 1 else 0.0
        return {self.name: statistics.fmean(found), f"{self.name}_std": deviation}

    def _metric(self, measured: dict[str, float]) -> float:
        if self.metric not in measured:
            raise ConfigError(f"{self.name}.metric is '{self.metric}'{nearest(self.metric, list(measured))}")
        return measured[self.metric]
