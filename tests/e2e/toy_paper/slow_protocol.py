"""A protocol that takes for ever."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.protocol import Protocol


@dataclass(frozen=True)
class SlowProtocol(Protocol):
    """Makes the file ``begun`` and sleeps."""

    begun: str

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        Path(self.begun).touch()
        time.sleep(1000)
        return {}
