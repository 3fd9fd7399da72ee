"""The contract of a picture of a representation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from data.images.source import ImageSet
from tasks.images.protocols.features import FeatureParts


class Picture(ABC):
    """One figure; a subclass is a frozen dataclass of its settings."""

    @abstractmethod
    def draw(self, parts: FeatureParts, metrics: Mapping[str, float]) -> bytes | None:
        """PNG; None where this network or these metrics have nothing to show.

        Parameters
        ----------
        parts
            Features, and the images behind them.
        metrics
            What the protocols measured.
        """


@runtime_checkable
class PatchEncoder(Protocol):
    """What pictures ask of a vision transformer."""

    patch: int

    def attention(self, images: Tensor) -> Tensor:
        """Weights (layers, batch, heads, tokens, tokens)."""

    def tokens(self, images: Tensor) -> Tensor:
        """(batch, 1 + patches, width), [CLS] first."""


def spread_over(images: ImageSet, count: int) -> Tensor:
    """(c,) positions of at most ``count`` images, evenly spaced: of all classes where images are sorted by class."""
    return torch.linspace(0, len(images) - 1, min(count, len(images))).round().long()
