"""Probes trained by SGD: linear or MLP, on cached features or through the frozen encoder on augmented images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from runs.errors import ConfigError, at_least
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.knn import accuracy
from tasks.images.protocols.probe_head import SideBySide, probe_head
from tasks.images.protocols.protocol import Protocol
from tasks.images.protocols.supervised_training import Batches, predict, shuffled, steps_at, train
from tasks.images.representation.spectrum import require_finite


@final
@dataclass(frozen=True)
class SGDProbe(Protocol):
    """Test accuracy of a head trained by SGD with momentum, its rate the best of several on the validation part.

    All rates are trained side by side on the same batches. With ``augment`` every batch is cropped and flipped anew and
    goes through the frozen encoder, as published linear probes do; without, the head sees the cached features of the clean
    images: minutes instead of hours, and a different protocol.

    Parameters
    ----------
    name
        Of the metric; the chosen rate is ``<name>_lr``.
    hidden
        Units of the MLP's hidden layer; None for a linear head.
    normalise
        Batch norm without affine before the head.
    learning_rates
        To choose from; of equally good ones the largest is taken.
    milestones
        Shares of the training at which the rate falls to a tenth.
    epochs, batch_size, momentum, weight_decay
        Of the SGD.
    augment
        Crop and flip.
    seed
        Of initial weights, order and crops.
    """

    name: str = "linear_sgd"
    hidden: int | None = None
    normalise: bool = False
    learning_rates: Sequence[float] = (0.1,)
    milestones: Sequence[float] = (0.6, 0.8)
    epochs: int = 100
    batch_size: int = 256
    momentum: float = 0.9
    weight_decay: float = 0.0
    augment: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.learning_rates or not all(rate > 0 for rate in self.learning_rates):
            raise ConfigError(
                f"{self.name}.learning_rates is {list(self.learning_rates)}; give one or more positive numbers"
            )
        at_least(f"{self.name}.", epochs=(self.epochs, 1), batch_size=(self.batch_size, 2), hidden=(self.hidden, 1))

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """``name``: accuracy in percent; ``<name>_lr``: the rate."""
        for part in (parts.train, parts.validation, parts.test):
            require_finite(part.h, f"{self.name}: h")
            part.classes_of(self.name)
        heads = self._trained(parts)
        best, best_accuracy, best_rate = heads[0], -1.0, 0.0
        for rate, head in sorted(zip(self.learning_rates, heads, strict=True), key=lambda each: -each[0]):
            if (reached := self._accuracy(head, parts, "validation")) > best_accuracy:
                best, best_accuracy, best_rate = head, reached, rate
        return {self.name: self._accuracy(best, parts, "test"), f"{self.name}_lr": best_rate}

    def _trained(self, parts: FeatureParts) -> list[nn.Sequential]:
        heads = [self._untrained(parts) for _ in self.learning_rates]
        probes = SideBySide(heads)
        groups = [
            {"params": head.parameters(), "lr": rate} for head, rate in zip(heads, self.learning_rates, strict=True)
        ]
        train(
            probes,
            [partial(self._epoch(parts), epoch) for epoch in range(self.epochs)],
            lambda h, labels: torch.stack([functional.cross_entropy(y, labels) for y in probes(h)]).sum(),
            torch.optim.SGD(groups, momentum=self.momentum, weight_decay=self.weight_decay),
            steps_at(*self.milestones),
            self.epochs * len(shuffled(len(parts.train), self.batch_size, self.seed, 0)),
            self.name,
        )
        return heads

    def _untrained(self, parts: FeatureParts) -> nn.Sequential:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return probe_head(parts.train.h.shape[1], parts.classes, self.hidden, self.normalise).to(parts.device)

    def _epoch(self, parts: FeatureParts) -> Callable[[int], Batches]:
        labels = parts.train.classes_of(self.name).long()
        if self.augment:
            return partial(self._augmented, parts, labels)
        return partial(self._clean, parts.train.h.to(parts.device), labels.to(parts.device))

    def _clean(self, h: Tensor, labels: Tensor, epoch: int) -> Batches:
        for rows in shuffled(len(h), self.batch_size, self.seed, epoch):
            yield h[rows], labels[rows]

    def _augmented(self, parts: FeatureParts, labels: Tensor, epoch: int) -> Batches:
        images = parts.images_of(self.name)
        for rows in shuffled(len(parts.train), self.batch_size, self.seed, epoch):
            with torch.no_grad():
                h = images.encoder(images.cropped(rows, self.seed, epoch))
            yield h, labels[rows].to(parts.device)

    def _accuracy(self, head: nn.Module, parts: FeatureParts, part: str) -> float:
        features = getattr(parts, part)
        return accuracy(predict(head, features.h.to(parts.device)).cpu(), features.labels)
