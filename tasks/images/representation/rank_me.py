"""RankMe: how many directions the features use, without labels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.protocol import Protocol
from tasks.images.representation.spectrum import effective_rank, require_finite, singular_values

ROWS_PER_DIMENSION = 10
"""Images per dimension from which on the rank hardly depends on their number (docs/papers/ssl.md#5.2)."""


def rank_me(z: Float[Tensor, "images dimension"], epsilon: float = 1e-7) -> float:
    """exp(-sum p ln p), p = s_k / sum s + epsilon, of the singular values of the uncentred matrix.

    References
    ----------
    Garrido et al., RankMe (2023), equation 1.
    """
    return effective_rank(singular_values(z), epsilon)


@final
@dataclass(frozen=True)
class RankMe(Protocol):
    """``rank_me_h`` and, with a projector, ``rank_me_z``, of the clean training images.

    Parameters
    ----------
    images
        At most so many of them, the first; None takes all. Fewer than 10 per dimension give a warning.
    """

    images: int | None = 25_600
    supervised: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.images is not None and self.images < 2:
            raise ConfigError(f"rank_me.images is {self.images}; give at least 2, or null for all")

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """Effective ranks, between 1 and the dimension."""
        measured = {}
        for name, features in (("h", parts.train.h), ("z", parts.train.z)):
            if features is not None:
                measured[f"rank_me_{name}"] = rank_me(self._enough(features[: self.images], name))
        return measured

    def _enough(self, features: Tensor, name: str) -> Tensor:
        require_finite(features, f"rank_me: {name}")
        images, dimension = features.shape
        if images < ROWS_PER_DIMENSION * dimension:
            warnings.warn(
                f"rank_me_{name} is of {images} images in {dimension} dimensions; with fewer than "
                f"{ROWS_PER_DIMENSION * dimension} it comes out too small",
                stacklevel=2,
            )
        return features
