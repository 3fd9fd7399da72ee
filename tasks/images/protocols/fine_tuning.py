"""Fine-tuning: a copy of the encoder and a new head, trained together on labelled images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from data.images.source import ImageSet
from models.encoders.drop_path import DropPath
from runs.errors import ConfigError, at_least
from solvers.optimizers.layer_decay import layer_decay
from solvers.optimizers.warmup_cosine import warmup_cosine
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.images import ImageParts
from tasks.images.protocols.knn import accuracy
from tasks.images.protocols.mixing import Mixing
from tasks.images.protocols.one_process import copied_for_one_process
from tasks.images.protocols.probe_head import probe_head
from tasks.images.protocols.protocol import Protocol
from tasks.images.protocols.seeding import seeded
from tasks.images.protocols.supervised_training import Batches, shuffled, train


@final
@dataclass(frozen=True)
class FineTuning(Protocol):
    """Test accuracy after AdamW with rates that shrink with depth, on random crops mixed by mixup and CutMix.

    The frozen encoder of the other protocols is not touched. The rate is the best of several on the validation part, after
    the last epoch.

    Parameters
    ----------
    name
        Of the metric; the chosen rate is ``<name>_lr``.
    learning_rates
        Rates of the head for a batch of 256, to choose from; of equally good ones the largest is taken.
    decay
        Factor of the rate from layer to layer: .65 for ViT-B, .75 for ViT-L.
    weight_decay, betas, epochs, batch_size
        Of AdamW.
    warmup
        Share of the training in which the rate grows; then it falls to 0 as a cosine.
    mixing
        Mixup, CutMix, smoothing.
    drop_path
        Of the encoder's last block, falling evenly to 0 in the first; encoders without such paths ignore it.
    seed
        Of order, crops, mixing and dropped paths.

    References
    ----------
    He et al., Masked autoencoders are scalable vision learners (2022), appendix A.1.
    """

    name: str = "fine_tuned"
    learning_rates: Sequence[float] = (1e-3,)
    decay: float = 0.65
    weight_decay: float = 0.05
    betas: Sequence[float] = (0.9, 0.999)
    epochs: int = 100
    batch_size: int = 256
    warmup: float = 0.05
    mixing: Mixing = field(default_factory=Mixing)
    drop_path: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.learning_rates or not all(rate > 0 for rate in self.learning_rates):
            raise ConfigError(
                f"{self.name}.learning_rates is {list(self.learning_rates)}; give one or more positive numbers"
            )
        at_least(f"{self.name}.", epochs=(self.epochs, 1), batch_size=(self.batch_size, 2))
        for name in ("warmup", "drop_path"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{self.name}.{name} is {getattr(self, name)}; give a share in [0, 1)")

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """``name``: accuracy in percent; ``<name>_lr``: the rate."""
        images = parts.images_of(self.name)
        right, truth = parts.validation.classes_of(self.name), parts.test.classes_of(self.name)
        best: nn.Module | None = None
        best_accuracy, best_rate = -1.0, 0.0
        for rate in sorted(self.learning_rates, reverse=True):
            network = self._tuned(parts, images, rate)
            if (reached := accuracy(_predicted(network, images, images.validation), right)) > best_accuracy:
                best, best_accuracy, best_rate = network, reached, rate
        assert best is not None
        return {self.name: accuracy(_predicted(best, images, images.test), truth), f"{self.name}_lr": best_rate}

    def _tuned(self, parts: FeatureParts, images: ImageParts, rate: float) -> nn.Module:
        labels = parts.train.classes_of(self.name)
        encoder = copied_for_one_process(images.encoder)
        _set_drop_path(encoder, self.drop_path)
        with seeded(self.seed, images.device):
            head = probe_head(parts.train.h.shape[1], parts.classes).to(images.device)
        network = nn.Sequential(encoder, head)
        own_layers = getattr(encoder, "layers", None)
        layers = own_layers() if callable(own_layers) else [list(encoder.parameters())]
        rate = rate * self.batch_size / 256
        groups = layer_decay(layers, head.parameters(), rate, self.decay, self.weight_decay)
        optimizer = torch.optim.AdamW(groups, lr=rate, betas=(self.betas[0], self.betas[1]))
        steps = self.epochs * len(shuffled(len(labels), self.batch_size, self.seed, 0))
        epochs = [partial(self._epoch, images, labels, parts.classes, epoch) for epoch in range(self.epochs)]
        with seeded(self.seed, images.device):
            train(network, epochs, partial(_cross_entropy, network), optimizer, self._rate, steps, self.name)
        return network

    def _rate(self, step: int, steps: int) -> float:
        return warmup_cosine(step, steps, round(self.warmup * steps))

    def _epoch(self, images: ImageParts, labels: Tensor, classes: int, epoch: int) -> Batches:
        rng = np.random.default_rng([self.seed, epoch])
        for rows in shuffled(len(labels), self.batch_size, self.seed, epoch):
            yield self.mixing(images.cropped(rows, self.seed, epoch), labels[rows].to(images.device), classes, rng)


def _cross_entropy(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(network(images), targets)


def _predicted(network: nn.Module, images: ImageParts, part: ImageSet) -> Tensor:
    network.eval()
    with torch.no_grad():
        batches: Iterable[Tensor] = images.clean(part)
        return torch.cat([network(batch).argmax(1).cpu() for batch in batches])


def _set_drop_path(encoder: nn.Module, last: float) -> None:
    paths = [module for module in encoder.modules() if isinstance(module, DropPath)]
    for index, path in enumerate(paths):
        path.probability = last * index / max(len(paths) - 1, 1)
