"""Low-shot: another protocol with few labelled images, over several random choices of them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.protocol import Protocol


def stratified(
    labels: Int[Tensor, " images"], seed: int, fraction: float | None = None, per_class: int | None = None
) -> Int[Tensor, " chosen"]:
    """Positions of randomly chosen images of every class, in ascending order.

    Parameters
    ----------
    labels
        Classes.
    seed
        Another one is another choice.
    fraction
        Share of every class, at least one image.
    per_class
        Images of every class instead.

    Raises
    ------
    ConfigError
        A class has fewer than ``per_class`` images.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        count = per_class if per_class is not None else max(1, round((fraction or 0.0) * len(members)))
        if count > len(members):
            raise ConfigError(
                f"low_shot.per_class is {count}, but class {int(label)} has {len(members)} training images; lower it"
            )
        chosen.append(members[torch.randperm(len(members), generator=generator)[:count]])
    return torch.cat(chosen).sort().values


@dataclass(frozen=True)
class LowShot(Protocol):
    """``of`` with a share or a number of training images per class; mean and standard deviation over the splits.

    Parameters
    ----------
    of
        The protocol; its metrics are named ``<name>_<metric>`` here, its own ``<name>``.
    name
        Of the metrics.
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

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """``<name>_<metric>`` of each metric of ``of``, and ``<name>_<metric>_std`` over the splits (0 for a single one)."""
        labels = parts.train.classes_of(self.name)
        found = []
        for split in range(self.splits):
            rows = stratified(labels, self.seed * 1009 + split, self.fraction, self.per_class)
            found.append(self.of.evaluate(parts.trained_on(rows)))
        measured = {}
        for metric in found[0]:
            values = [each[metric] for each in found]
            measured[f"{self.name}_{metric}"] = statistics.fmean(values)
            measured[f"{self.name}_{metric}_std"] = statistics.stdev(values) if len(values) > 1 else 0.0
        return measured
