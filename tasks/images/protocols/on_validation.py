"""A protocol that leaves the test part alone: what settings are chosen by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.protocol import Protocol, Sizes, checked_within


@final
@dataclass(frozen=True)
class OnValidation(Protocol):
    """Another protocol with the validation part in the place of the test part; ``knn`` becomes ``validation_knn``.

    A protocol that chooses settings of its own chooses them on that part too, so compare it with its like only.

    Parameters
    ----------
    protocol
        The other one.
    """

    protocol: Protocol

    def check(self, sizes: Sizes) -> None:
        """As the protocol does."""
        checked_within("protocol", self.protocol, sizes)

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        images = parts.images and replace(parts.images, test=parts.images.validation)
        found = self.protocol.evaluate(replace(parts, test=parts.validation, images=images))
        return {f"validation_{name}": value for name, value in found.items()}
