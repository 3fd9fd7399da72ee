"""Another protocol on corrupted test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import final

import torch

from data.images.corruptions import SEVERITIES, STRENGTHS, corrupted
from data.images.source import ImageSet
from runs.errors import ConfigError, nearest
from tasks.images.protocols.features import FeatureParts, Features, extract
from tasks.images.protocols.images import ImageParts
from tasks.images.protocols.knn import KNN
from tasks.images.protocols.protocol import Protocol, Sizes, checked_within


@final
@dataclass(frozen=True)
class Corruption(Protocol):
    """``of`` on the test images under every corruption and severity; what it learns from stays clean.

    Metrics are those of ``of`` with ``_<kind>_<severity>`` added, and with ``_corrupted`` their mean over all.

    Parameters
    ----------
    of
        The protocol.
    kinds
        Corruptions.
    severities
        1 to 5.
    seed
        Of the noise.
    """

    of: Protocol = field(default_factory=KNN)
    kinds: Sequence[str] = tuple(STRENGTHS)
    severities: Sequence[int] = tuple(range(1, SEVERITIES + 1))
    seed: int = 0

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in STRENGTHS:
                raise ConfigError(f"corruption.kinds has '{kind}'{nearest(kind, list(STRENGTHS))}")
        if not self.kinds or not self.severities or not set(self.severities) <= set(range(1, SEVERITIES + 1)):
            raise ConfigError(
                f"corruption.kinds is {list(self.kinds)} and severities {list(self.severities)}; give one kind or more, and "
                f"severities from 1 to {SEVERITIES}"
            )

    def check(self, sizes: Sizes) -> None:
        """As the protocol does."""
        checked_within("of", self.of, sizes)

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """Metrics by kind and severity, and their means."""
        images = parts.images_of("corruption")
        parts.test.classes_of("corruption")
        measured: dict[str, float] = {}
        found = []
        for kind in self.kinds:
            for severity in self.severities:
                test = self._features(images, corrupted(images.test, kind, severity, self.seed))
                found.append(self.of.evaluate(replace(parts, test=test)))
                measured |= {f"{name}_{kind}_{severity}": value for name, value in found[-1].items()}
        return measured | {f"{name}_corrupted": fmean(each[name] for each in found) for name in found[0]}

    def _features(self, images: ImageParts, part: ImageSet) -> Features:
        batches = ((batch, None, torch.empty(0)) for batch in images.clean(part))
        return replace(extract(images.encoder, batches, images.device), labels=part.labels)
