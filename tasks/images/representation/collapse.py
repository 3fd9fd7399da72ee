"""Signals of collapse, without labels: spread, cosine of different images, dead dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.protocol import Protocol
from tasks.images.representation.spectrum import require_finite

DEAD = 1e-2
"""A dimension is dead whose normalised spread is below this share of a uniform one's."""


class CollapseSignals(NamedTuple):
    """What collapse looks like (docs/papers/ssl.md#5.2).

    Parameters
    ----------
    spread
        Mean over dimensions of the standard deviation of the normalised features, times sqrt(D): 1 where they spread
        evenly over the sphere, 0 where they are one point.
    cosine
        Mean cosine of two different images.
    dead
        Share of the dimensions that do not vary.
    """

    spread: float
    cosine: float
    dead: float


def collapse_signals(features: Float[Tensor, "images dimension"]) -> CollapseSignals:
    """The signals of at least two rows, in O(N D)."""
    unit = functional.normalize(features.detach().float(), dim=1)
    images, dimension = unit.shape
    spreads = unit.std(0, correction=0) * dimension**0.5
    pairs = unit.double().sum(0).square().sum() - unit.double().square().sum()
    cosine = pairs / (images * (images - 1))
    return CollapseSignals(float(spreads.mean()), float(cosine), float((spreads < DEAD).float().mean()))


@final
@dataclass(frozen=True)
class Collapse(Protocol):
    """``spread_h, cosine_h, dead_h`` and, with a projector, the same of z, of the clean training images."""

    supervised: ClassVar[bool] = False

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """The signals of h and of z."""
        measured: dict[str, float] = {}
        for name, features in (("h", parts.train.h), ("z", parts.train.z)):
            if features is None:
                continue
            require_finite(features, f"collapse: {name}")
            signals = collapse_signals(features)
            measured |= {f"{signal}_{name}": value for signal, value in signals._asdict().items()}
        return measured
